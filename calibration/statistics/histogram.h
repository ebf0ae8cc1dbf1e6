// Distributions of activations, in memory that does not grow with their number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quantize {

/// Counts of magnitudes in bins of width 2^exponent, apart for each sign; exact zeros are counted by
/// themselves.
///
/// Bin k holds the magnitudes in [k, k + 1) * 2^exponent. The exponent is the smallest that lets kBins bins
/// hold the largest magnitude seen, so that at least half of a used side's bins are in reach. Widening moves
/// bin k to floor(k / 2): since the exponent depends on that magnitude alone, the same elements give the same
/// histogram in any order and any grouping.
struct Histogram {
  static constexpr size_t kBins = 4096;      // per sign
  static constexpr int kMinExponent = -126;  // narrower bins would need a factor that f32 does not have

  int exponent = kMinExponent;
  uint64_t zeros = 0;
  std::vector<uint64_t> positive, negative;  // by magnitude; kBins counts, or empty where there is no element

  /// The exponent for elements up to this magnitude. Requires: finite, >= 0.
  static int exponent_for(float magnitude);

  /// The real width of a bin.
  double bin_width() const;
  /// Number of elements, zeros included.
  uint64_t total() const;

  void add(const Histogram& other);
  /// Adds counts in the order of KernelTable::histogram_f32: 2 * kBins of them, in bins of 2^counts_exponent,
  /// of which only those of magnitude bins [0, used) are not 0.
  void add(std::span<const uint32_t> counts, int counts_exponent, size_t used);

  friend bool operator==(const Histogram&, const Histogram&) = default;

 private:
  void widen(int to);
};

}  // namespace quantize
