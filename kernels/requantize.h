// From s32 sums to codes: the formulae of kernels/integer.h, once, for reference code. In an anonymous
// namespace: every object file has its own, so the linker never merges those of different instruction sets.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/integer.h"

namespace quantize {

namespace {

/// The nearest s32, half to even; the ends of s32 beyond them.
[[maybe_unused]] inline int32_t round_saturating(float x) {
  if (!(x < 2147483648.0f)) return std::numeric_limits<int32_t>::max();
  if (x < -2147483648.0f) return std::numeric_limits<int32_t>::min();
  return static_cast<int32_t>(std::nearbyintf(x));
}

/// clamp(code + zero_point, low, high), without overflow.
[[maybe_unused]] inline uint8_t shifted_code(int32_t code, int32_t zero_point, int32_t low, int32_t high) {
  const int64_t shifted = int64_t{code} + zero_point;
  return static_cast<uint8_t>(shifted < low ? low : shifted > high ? high : shifted);
}

[[maybe_unused]] inline uint8_t requantize(int32_t sum, const RequantizeU8& r, size_t c) {
  const int32_t code = round_saturating(static_cast<float>(sum) * r.multiplier[c]);
  return shifted_code(code, r.zero_point[c], r.low[c], r.high[c]);
}

[[maybe_unused]] inline uint8_t add_codes(uint8_t a, uint8_t b, float a_ratio, float b_ratio, float offset) {
  const float sum =
      std::fmaf(static_cast<float>(a), a_ratio, std::fmaf(static_cast<float>(b), b_ratio, offset));
  return shifted_code(round_saturating(sum), 0, 0, 255);
}

/// The steps of a value that a residual joins before they are rounded, the zero point included.
[[maybe_unused]] inline float joined_steps(float value, float multiplier, uint8_t b, float b_ratio,
                                           float offset) {
  return std::fmaf(value, multiplier, std::fmaf(static_cast<float>(b), b_ratio, offset));
}

/// The code of output channel c, all that follows included: `b` is the residual's code for this output, or
/// null.
[[maybe_unused]] inline uint8_t finish(int32_t sum, const RequantizeU8& r, size_t c, const EpilogueU8& e,
                                       const uint8_t* b) {
  uint8_t code;
  if (b != nullptr && e.b_joins) {
    const float steps = joined_steps(static_cast<float>(sum), r.multiplier[c], *b, e.b_ratio, e.offset);
    code = shifted_code(round_saturating(steps), 0, r.low[c], r.high[c]);
  } else {
    code = requantize(sum, r, c);
    if (b != nullptr)
      code = e.b_first ? add_codes(*b, code, e.b_ratio, e.a_ratio, e.offset)
                       : add_codes(code, *b, e.a_ratio, e.b_ratio, e.offset);
  }
  return e.table == nullptr ? code : e.table[code];
}

}  // namespace

}  // namespace quantize
