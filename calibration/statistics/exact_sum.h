// Sums that come out the same in any order.
#pragma once

#include <cstdint>

namespace quantize {

/// A sum of doubles in fixed point: a signed 128-bit integer in units of 2^-60. Each term is rounded to a
/// unit once, when it is added; after that nothing is lost, so that sums add in any order and grouping to the
/// same bits.
struct ExactSum {
  /// Terms must be smaller than this in magnitude. Together with kMaxTerms it rules out overflow.
  static constexpr double kLimit = 1099511627776.0;  // 2^40
  static constexpr uint64_t kMaxTerms = uint64_t{1} << 26;

  uint64_t low = 0;
  int64_t high = 0;  // the number is high * 2^64 + low units

  /// Requires: |x| <= kLimit.
  void add(double x);
  void add(const ExactSum& other);

  /// The sum, rounded to a double.
  double value() const;

  friend bool operator==(const ExactSum&, const ExactSum&) = default;
};

}  // namespace quantize
