#include "calibration/search/output_error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "calibration/tasks/deviation.h"

namespace quantize {

namespace {

/// The axis of channels; -1: there is none.
int64_t channel_axis(const std::vector<const Tensor*>& references) {
  const Shape& shape = references[0]->shape();
  const bool is_one = std::all_of(references.begin(), references.end(),
                                  [&](const Tensor* tensor) { return tensor->shape() == shape; });
  if (!is_one || (shape.size() != 3 && shape.size() != 4)) return -1;
  return shape.size() == 4 || shape[1] < shape[2] ? 1 : 2;
}

double energy_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values)
    if (std::isfinite(value)) sum += value * value;
  return sum;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Sums over the elements of a channel, in the order of samples.
struct Moments {
  double count = 0, sum = 0, squares = 0;

  double root_mean_square() const { return std::sqrt(squares / std::max(count, 1.0)); }
  double deviation() const {
    const double mean = sum / std::max(count, 1.0);
    return std::sqrt(std::max(squares / std::max(count, 1.0) - mean * mean, 0.0));
  }
};

}  // namespace

std::vector<double> OutputError::counted(const Tensor& tensor) const {
  std::vector<double> values = tensor.to_vector<double>();
  if (kind_ == Kind::kProbabilities)
    for (double& value : values)
      if (!std::isnan(value)) value = std::log(std::max(value, kLeastProbability));
  return values;
}

OutputError::OutputError(const std::vector<const Tensor*>& references, Kind kind) : kind_(kind), weights_(1) {
  const int64_t axis = references.empty() ? -1 : channel_axis(references);
  if (axis >= 0) {
    const Shape& shape = references[0]->shape();
    weights_.resize(static_cast<size_t>(std::max<int64_t>(shape[static_cast<size_t>(axis)], 1)));
    for (size_t i = static_cast<size_t>(axis) + 1; i < shape.size(); ++i)
      inner_ *= static_cast<size_t>(std::max<int64_t>(shape[i], 1));
  }
  std::vector<double> energies;
  for (const Tensor* reference : references) energies.push_back(energy_of(counted(*reference)));
  usual_energy_ = median(energies);
  std::vector<Moments> moments(weights_.size());
  double samples = 0;
  for (size_t s = 0; s < references.size(); ++s) {
    if (share_of(energies[s]) < 1) continue;
    samples += 1;
    const std::vector<double> values = counted(*references[s]);
    for (size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) continue;
      Moments& channel = moments[channel_of(i)];
      channel.count += 1;
      channel.sum += values[i];
      channel.squares += values[i] * values[i];
    }
  }
  constexpr double kLeastSpread = 1e-6;  // of the elements' size: below, rounding
  double total = 0, size = 0, squares = 0;
  for (const Moments& channel : moments) {
    total += channel.deviation();
    size += channel.root_mean_square();
    squares += channel.squares;
  }
  if (axis < 0 ||
      total <= kLeastSpread * size) {  // relative to the energy of a sample; where there is none, as it is
    weights_.assign(weights_.size(), squares > 0 ? samples / squares : 1);
    return;
  }
  const double floor = 1e-3 * total / static_cast<double>(moments.size());
  for (size_t c = 0; c < weights_.size(); ++c) {
    const double elements = std::max(moments[c].count / samples, 1.0);
    weights_[c] = 1 / (std::max(moments[c].deviation(), floor) * total * elements);
  }
}

double OutputError::share_of(double energy) const {
  return energy > kOutlyingEnergy * usual_energy_ && usual_energy_ > 0 ? usual_energy_ / energy : 1;
}

std::vector<double> OutputError::channels_of(const Tensor& reference, const Tensor& candidate) const {
  const std::vector<double> a = counted(reference), b = counted(candidate);
  std::vector<Deviation> channels(weights_.size());
  for (size_t i = 0; i < a.size(); ++i) channels[channel_of(i)].add(a[i], b[i]);
  const double share = share_of(energy_of(a));
  std::vector<double> errors(channels.size());
  for (size_t c = 0; c < channels.size(); ++c)
    errors[c] = channels[c].non_finite != 0 ? std::numeric_limits<double>::infinity()
                                            : share * weights_[c] * channels[c].noise;
  return errors;
}

}  // namespace quantize
