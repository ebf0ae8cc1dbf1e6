// The statistics of one activation. Read TensorStatistics first, then summarize().
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "calibration/statistics/exact_sum.h"
#include "calibration/statistics/histogram.h"
#include "calibration/statistics/recent_extremes.h"
#include "core/tensor.h"
#include "kernels/kernel_table.h"

namespace quantize {

/// Smallest and largest element of a channel, and the sum over samples of the channel's mean in each.
struct ChannelStatistics {
  float min = std::numeric_limits<float>::infinity();
  float max = -std::numeric_limits<float>::infinity();
  ExactSum mean_sum;

  friend bool operator==(const ChannelStatistics&, const ChannelStatistics&) = default;
};

/// One activation over all samples: its size depends on the number of channels only, and merging is exact, so
/// that the same samples give the same bytes in any order and any grouping.
///
/// Elements that are NaN, infinite or not below ExactSum::kLimit in magnitude are counted as non-finite, and
/// a sample that has any contributes nothing else: such an activation is left in float. -0 is kept as 0.
struct TensorStatistics {
  float min = std::numeric_limits<float>::infinity();  // while there is no sample: +inf and -inf
  float max = -std::numeric_limits<float>::infinity();
  uint64_t samples = 0;  // that contributed
  uint64_t non_finite = 0;
  Histogram histogram;
  ExactSum min_sum, max_sum;  // over samples, of the sample's smallest and largest element
  RecentExtremes recent;

  /// One per extent of `channel_axis`; none below rank 2.
  std::vector<ChannelStatistics> channels;
  uint32_t channel_axis = 0;  // 0 while there are no channels
  /// True if samples differ in their number of channels or in their axis; `channels` is empty then.
  bool channels_vary = false;

  /// Errors: Error(kCalibration) beyond ExactSum::kMaxTerms samples.
  void add(const TensorStatistics& other);
  void add(const struct SampleSummary& sample);

  friend bool operator==(const TensorStatistics&, const TensorStatistics&) = default;
};

/// One activation of one sample, its histogram still as the kernel counts it.
struct SampleSummary {
  TensorStatistics rest;  // everything but the histogram
  uint64_t zeros = 0;
  int exponent = Histogram::kMinExponent;                             // bins are 2^exponent wide
  size_t used_bins = 0;                                               // per sign
  std::array<uint32_t, histogram_room(2 * Histogram::kBins)> counts;  // undefined while no bin is used
};

/// Summarizes one activation of the sample at `position` in the order of all samples; a batch counts as one sample.
/// Channels lie along `axis`, or, where nothing is said or the value has no such axis, along default_channel_axis.
///
/// Shapes:  any. Types: f32.
/// Errors:  Error(kUnsupported) for 2^32 elements or more.
/// Accuracy: exact, except for the means: sums in double in an order that depends on the shape alone.
SampleSummary summarize(const TensorView& value, uint64_t position, std::optional<size_t> axis,
                        const KernelTable& kernels);

/// TensorStatistics::channels of one sample, along `axis`. Requires: f32, finite; the value has that axis.
std::vector<ChannelStatistics> summarize_channels(const TensorView& value, size_t axis,
                                                  const KernelTable& kernels);

}  // namespace quantize
