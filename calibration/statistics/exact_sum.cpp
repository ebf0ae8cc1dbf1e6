// 128-bit fixed point in two words, two's complement.
#include "calibration/statistics/exact_sum.h"

#include <cmath>

namespace quantize {

namespace {

constexpr double kUnitsPerOne = 0x1p60;
constexpr double kTwo64 = 0x1p64;

ExactSum negative_of(const ExactSum& sum) {
  const uint64_t high = ~static_cast<uint64_t>(sum.high) + (sum.low == 0 ? 1 : 0);
  return {.low = 0 - sum.low, .high = static_cast<int64_t>(high)};
}

}  // namespace

void ExactSum::add(double x) {
  // Both words are exact: what `upper` leaves of the magnitude are its low bits.
  const double units = std::nearbyint(std::abs(x) * kUnitsPerOne);
  const double upper = std::floor(units / kTwo64);
  const ExactSum term{.low = static_cast<uint64_t>(units - upper * kTwo64),
                      .high = static_cast<int64_t>(upper)};
  add(x < 0 ? negative_of(term) : term);
}

void ExactSum::add(const ExactSum& other) {
  low += other.low;
  const uint64_t carry = low < other.low ? 1 : 0;
  // In unsigned arithmetic, where a damaged file can do no worse than wrap around.
  high = static_cast<int64_t>(static_cast<uint64_t>(high) + static_cast<uint64_t>(other.high) + carry);
}

double ExactSum::value() const {
  // Of the magnitude: just below 0, high is -1 and low nearly 2^64, and their sum would cancel.
  const ExactSum magnitude = high < 0 ? negative_of(*this) : *this;
  const double units = static_cast<double>(magnitude.high) * kTwo64 + static_cast<double>(magnitude.low);
  return (high < 0 ? -units : units) / kUnitsPerOne;
}

}  // namespace quantize
