// The extremes of the last samples, for averages that depend on the order of samples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quantize {

/// Smallest and largest element of an activation in one sample.
struct SampleExtremes {
  uint64_t position = 0;  // of the sample, in the order of all samples
  float min = 0, max = 0;

  friend bool operator==(const SampleExtremes&, const SampleExtremes&) = default;
};

/// The extremes of the kMost samples with the highest positions, ascending. Samples at one position, of two lists,
/// follow each other by their extremes. Adding is a union cut to the highest: the same in any order and any grouping,
/// in memory that does not grow with the number of samples.
///
/// In a moving average with constant 0.01, earlier samples together weigh 0.99^2048 < 1.2e-9: less than the
/// rounding of a float.
struct RecentExtremes {
  static constexpr size_t kMost = 2048;

  std::vector<SampleExtremes> samples;

  void add(const RecentExtremes& other);

  friend bool operator==(const RecentExtremes&, const RecentExtremes&) = default;
};

/// The order in which samples are kept. Requires: finite extremes.
bool operator<(const SampleExtremes& a, const SampleExtremes& b);

}  // namespace quantize
