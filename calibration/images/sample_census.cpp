#include "calibration/images/sample_census.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "calibration/images/batches.h"
#include "calibration/images/hash.h"

namespace quantize {

namespace {

constexpr size_t kNamed = 5;

uint64_t hash_of(const std::vector<Tensor>& tensors) {
  Hash hash;
  for (const Tensor& tensor : tensors) {
    for (int64_t extent : tensor.shape()) hash.add_number(static_cast<uint64_t>(extent));
    hash.add_bytes(tensor.bytes(), tensor.byte_size());
  }
  return hash.value();
}

bool is_blank(const Tensor& tensor) {
  const size_t size = size_of(tensor.dtype());
  const auto* bytes = static_cast<const std::byte*>(tensor.bytes());
  return tensor.byte_size() <= size || std::memcmp(bytes, bytes + size, tensor.byte_size() - size) == 0;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// How many times as large as most the values are: 1 where that is not more than they differ anyway, in
/// their order. Distances are taken in the logarithm; 1.48 times their median is the standard deviation of
/// what is normally distributed.
std::vector<double> excesses(const std::vector<double>& values) {
  constexpr double kDeviations = 3.5 * 1.48;
  std::vector<double> result(values.size(), 1.0), distances;
  const double middle = median(values);
  if (!(middle > 0)) return result;
  for (const double value : values)
    distances.push_back(value > 0 ? std::abs(std::log(value / middle)) : std::log(SampleCensus::kOutlier));
  const double least = kDeviations * median(distances);
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] > middle && std::log(values[i] / middle) > least) result[i] = values[i] / middle;
  return result;
}

std::string samples_text(size_t count) {
  return std::to_string(count) + (count == 1 ? " sample" : " samples");
}

}  // namespace

std::map<size_t, std::string> overflowing_samples(
    const std::map<size_t, std::vector<std::string>>& non_finite, size_t samples) {
  std::map<std::string, size_t> counts;
  for (const auto& [sample, values] : non_finite)
    for (const std::string& value : values) ++counts[value];
  std::set<std::string> overflowing;
  for (const auto& [value, count] : counts)
    if (is_rare_overflow(count, samples)) overflowing.insert(value);
  return samples_with(non_finite, overflowing);
}

std::map<size_t, std::string> samples_with(const std::map<size_t, std::vector<std::string>>& non_finite,
                                           const std::set<std::string>& overflowing) {
  std::map<size_t, std::string> result;
  for (const auto& [sample, values] : non_finite) {
    const auto own = std::find_if(values.begin(), values.end(),
                                  [&](const std::string& value) { return overflowing.contains(value); });
    if (own != values.end()) result[sample] = *own;
  }
  return result;
}

std::string overflow_reason(const std::string& value) {
  return "it makes value '" + value +
         "' of the network NaN, infinite or larger than 2^40, which others do not";
}

void SampleCensus::add(size_t i, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs) {
  const auto rows = static_cast<size_t>(batch_);
  for (size_t row = 0; row < rows && i * rows + row < samples_; ++row) {
    SampleFacts facts = facts_of(row_of(inputs, row, batch_), row_of(outputs, row, batch_));
    const std::lock_guard lock(mutex_);
    facts_[i * rows + row] = std::move(facts);
  }
}

SampleFacts SampleCensus::facts_of(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs) {
  SampleFacts facts;
  facts.inputs_hash = hash_of(inputs);
  facts.outputs_hash = hash_of(outputs);
  for (const Tensor& input : inputs) {
    facts.blank = facts.blank && is_blank(input);
    if (input.dtype() != DataType::kF32 || input.size() == 0) continue;
    double largest = 0, squares = 0;
    for (int64_t i = 0; i < input.size(); ++i) {
      const double x = input.data<float>()[i];
      largest = std::max(largest, std::abs(x));
      squares += x * x;
    }
    facts.sizes.push_back({largest, std::sqrt(squares / static_cast<double>(input.size()))});
  }
  return facts;
}

std::vector<std::string> SampleCensus::outliers(const std::function<std::string(size_t)>& name,
                                                const std::string& consequence) const {
  std::vector<std::string> warnings;
  const size_t inputs = facts_.empty() ? 0 : facts_.begin()->second.sizes.size();
  for (size_t k = 0; k < inputs; ++k) {
    std::vector<double> largest, root_mean_squares;
    for (const auto& [sample, facts] : facts_) {
      largest.push_back(facts.sizes[k].largest);
      root_mean_squares.push_back(facts.sizes[k].root_mean_square);
    }
    const std::vector<double> by_extremes = excesses(largest), by_energy = excesses(root_mean_squares);
    std::vector<std::string> named;
    size_t count = 0, i = 0;
    for (const auto& [sample, facts] : facts_) {
      const double times = std::min(by_extremes[i], by_energy[i]);
      ++i;
      if (times < kOutlier || ++count > kNamed) continue;
      named.push_back("'" + name(sample) + "' (" + std::to_string(std::lround(std::min(times, 1e9))) +
                      " times)");
    }
    if (count == 0) continue;
    std::string list = named[0];
    for (size_t n = 1; n < named.size(); ++n) list += ", " + named[n];
    if (count > kNamed) list += ", ...";
    warnings.push_back(samples_text(count) + (count == 1 ? " is" : " are") +
                       " far larger than most, as if not normalized: " + list + "; " + consequence +
                       ", so leave out what the model will not see");
  }
  return warnings;
}

std::vector<std::string> SampleCensus::likenesses() const {
  std::vector<std::string> warnings;
  std::set<uint64_t> inputs, outputs;
  size_t blank = 0;
  for (const auto& [sample, facts] : facts_) {
    inputs.insert(facts.inputs_hash);
    outputs.insert(facts.outputs_hash);
    blank += facts.blank;
  }
  const size_t count = facts_.size();
  if (count > 1 && inputs.size() == 1)
    warnings.push_back("the " + samples_text(count) +
                       " do not differ: nothing is learned about others; give different images");
  else if (2 * inputs.size() <= count)
    warnings.push_back(std::to_string(count - inputs.size()) + " of " + samples_text(count) +
                       " are copies of others; give different images");
  else if (count > 1 && outputs.size() == 1)
    warnings.push_back("the outputs are the same for all " + samples_text(count) +
                       " although the samples differ: nothing can be judged by them; check the model and "
                       "the preprocessing");
  if (2 * blank > count)
    warnings.push_back(std::to_string(blank) + " of " + samples_text(count) + (blank == 1 ? " is" : " are") +
                       " blank, of one value throughout; give images like those the model will see");
  return warnings;
}

std::vector<std::string> SampleCensus::warnings(const std::function<std::string(size_t)>& name) const {
  std::vector<std::string> warnings = outliers(name, "ranges are widened by it");
  for (std::string& warning : likenesses()) warnings.push_back(std::move(warning));
  if (facts_.size() < kFewSamples)
    warnings.push_back("ranges rest on " + samples_text(facts_.size()) +
                       " only; give at least 16 images like those the model will see");
  return warnings;
}

}  // namespace quantize
