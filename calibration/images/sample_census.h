// A look at the samples themselves: whether they differ as they should.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace quantize {

/// The samples that overflow: each makes a value NaN, infinite or larger than 2^40 that is finite in at least
/// half of the samples. A value that overflows in more samples is a fault of the network, not of the samples.
///
/// `non_finite`: per sample that was run, the names of the values that were not finite, in the order of
/// computation. Returns, per such sample, the first such value.
std::map<size_t, std::string> overflowing_samples(
    const std::map<size_t, std::vector<std::string>>& non_finite, size_t samples);

/// The samples that make one of these values not finite; arguments and result as above.
std::map<size_t, std::string> samples_with(const std::map<size_t, std::vector<std::string>>& non_finite,
                                           const std::set<std::string>& overflowing);

/// Whether a value that is not finite in `count` of so many samples is so by a fault of these samples.
inline bool is_rare_overflow(uint64_t count, uint64_t samples) {
  return count != 0 && 2 * count <= samples;
}

/// Why such a sample cannot be used, for people.
std::string overflow_reason(const std::string& value);

/// What the census knows of one sample.
struct SampleFacts {
  struct Size {
    double largest, root_mean_square;
  };
  uint64_t inputs_hash = 0, outputs_hash = 0;
  bool blank = true;        // every input has one value throughout
  std::vector<Size> sizes;  // per f32 input
};

/// Facts of every sample that was used, and what they are worth.
class SampleCensus {
 public:
  /// `batch`: samples in what `add` is told of, see Batches; `samples`: how many there are, the rest of the
  /// last batch being filled.
  explicit SampleCensus(int64_t batch = 1, size_t samples = std::numeric_limits<size_t>::max())
      : batch_(batch), samples_(samples) {}

  /// Thread-safe. Replaces what was known of the samples of batch `i`.
  void add(size_t i, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs);

  void clear() { facts_.clear(); }

  /// The facts by the number of the sample, and those that another census has learned.
  const std::map<size_t, SampleFacts>& facts() const { return facts_; }
  void add(const std::map<size_t, SampleFacts>& facts) { facts_.insert(facts.begin(), facts.end()); }

  /// A sentence for the samples that are kOutlier times as large as most, by their extremes and their root
  /// mean square, and further off than the others are from each other; one per input. `name(i)`: of sample i;
  /// `consequence`: what comes of them.
  std::vector<std::string> outliers(const std::function<std::string(size_t)>& name,
                                    const std::string& consequence) const;

  /// For calibration, one sentence for each of these: outliers; samples that do not differ, or hardly;
  /// outputs that do not depend on the sample; blank samples; fewer than kFewSamples.
  std::vector<std::string> warnings(const std::function<std::string(size_t)>& name) const;

  static constexpr double kOutlier = 5;
  static constexpr size_t kFewSamples = 4;

 private:
  std::vector<std::string> likenesses() const;

  static SampleFacts facts_of(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs);

  const int64_t batch_;
  const size_t samples_;
  std::mutex mutex_;
  std::map<size_t, SampleFacts> facts_;
};

}  // namespace quantize
