// From s32 sums to codes, sixteen channels at a time. Everything in an anonymous namespace: see
// kernels/DECISIONS.md.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/integer.h"

namespace quantize {

namespace {

constexpr size_t kPanel = 16;

/// The constants of sixteen channels.
struct alignas(64) PanelConstants {
  int32_t bias[kPanel];
  float multiplier[kPanel];
  int32_t zero_point[kPanel];
  uint8_t low[kPanel], high[kPanel];
};

inline void pack_constants(const RequantizeU8& r, size_t first, size_t count, PanelConstants& to) {
  for (size_t c = 0; c < kPanel; ++c) {
    const bool used = c < count;
    to.bias[c] = used ? r.bias[first + c] : 0;
    to.multiplier[c] = used ? r.multiplier[first + c] : 0;
    to.zero_point[c] = used ? r.zero_point[first + c] : 0;
    to.low[c] = used ? r.low[first + c] : 0;
    to.high[c] = used ? r.high[first + c] : 255;
  }
}

/// The sums of one pixel.
struct PixelSums {
  int32x4_t v[4];
};

/// Up to sixteen bytes; what is behind them is 0.
[[gnu::always_inline]] inline uint8x16_t load_bytes(const uint8_t* p, size_t n) {
  if (n >= 16) return vld1q_u8(p);
  alignas(16) uint8_t bytes[16] = {};
  for (size_t i = 0; i < n; ++i) bytes[i] = p[i];
  return vld1q_u8(bytes);
}
[[gnu::always_inline]] inline void store_bytes(uint8_t* p, size_t n, uint8x16_t x) {
  if (n >= 16) return vst1q_u8(p, x);
  if (n & 8) {
    vst1_u8(p, vget_low_u8(x));
    x = vextq_u8(x, x, 8);
    p += 8;
  }
  uint64_t rest = vgetq_lane_u64(vreinterpretq_u64_u8(x), 0);
  for (n &= 7; n > 0; --n, rest >>= 8) *p++ = static_cast<uint8_t>(rest);
}

/// Half to even. Both ends saturate to the same code as those of s32. The minimum takes the number if the
/// other is NaN, so that a NaN becomes the upper end, as the reference has it.
[[gnu::always_inline]] inline int32x4_t rounded(float32x4_t x) {
  return vcvtnq_s32_f32(vminnmq_f32(x, vdupq_n_f32(1e9f)));
}

[[gnu::always_inline]] inline uint8x16_t saturated(const int32x4_t (&x)[4]) {
  const int16x8_t low = vcombine_s16(vqmovn_s32(x[0]), vqmovn_s32(x[1])),
                  high = vcombine_s16(vqmovn_s32(x[2]), vqmovn_s32(x[3]));
  return vcombine_u8(vqmovun_s16(low), vqmovun_s16(high));
}

[[gnu::always_inline]] inline float32x4_t scaled(int32x4_t sums, const PanelConstants& constants, int j) {
  return vmulq_f32(vcvtq_f32_s32(sums), vld1q_f32(constants.multiplier + 4 * j));
}

/// The reals of a pixel, of which `channels` exist.
[[gnu::noinline]] inline void store_reals(float* y, size_t channels, const PixelSums& sums,
                                          const PanelConstants& constants) {
  float reals[kPanel];
  for (int j = 0; j < 4; ++j) vst1q_f32(reals + 4 * j, scaled(sums.v[j], constants, j));
  for (size_t c = 0; c < channels; ++c) y[c] = reals[c];
}

[[gnu::always_inline]] inline uint8x16_t clamped(const int32x4_t (&steps)[4],
                                                 const PanelConstants& constants) {
  return vminq_u8(vmaxq_u8(saturated(steps), vld1q_u8(constants.low)), vld1q_u8(constants.high));
}

[[gnu::always_inline]] inline uint8x16_t requantized(const PixelSums& sums, const PanelConstants& constants) {
  int32x4_t steps[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j)
    steps[j] = vaddq_s32(rounded(scaled(sums.v[j], constants, j)), vld1q_s32(constants.zero_point + 4 * j));
  return clamped(steps, constants);
}

/// Sixteen codes as floats.
[[gnu::always_inline]] inline void floats(uint8x16_t codes, float32x4_t (&to)[4]) {
  const uint16x8_t low = vmovl_u8(vget_low_u8(codes)), high = vmovl_high_u8(codes);
  to[0] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(low)));
  to[1] = vcvtq_f32_u32(vmovl_high_u16(low));
  to[2] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(high)));
  to[3] = vcvtq_f32_u32(vmovl_high_u16(high));
}

/// Codes plus those of a residual.
[[gnu::always_inline]] inline uint8x16_t added(uint8x16_t a, uint8x16_t b, const EpilogueU8& e) {
  float32x4_t last[4], first[4];
  floats(e.b_first ? b : a, last);
  floats(e.b_first ? a : b, first);
  const float32x4_t last_ratio = vdupq_n_f32(e.b_first ? e.b_ratio : e.a_ratio),
                    first_ratio = vdupq_n_f32(e.b_first ? e.a_ratio : e.b_ratio),
                    offset = vdupq_n_f32(e.offset);
  int32x4_t steps[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j)
    steps[j] = rounded(vfmaq_f32(vfmaq_f32(offset, first[j], first_ratio), last[j], last_ratio));
  return saturated(steps);
}

/// The codes of sums with those of a residual, which join them before they are rounded.
[[gnu::always_inline]] inline uint8x16_t joined(const PixelSums& sums, uint8x16_t residual,
                                                const PanelConstants& constants, const EpilogueU8& e) {
  float32x4_t b[4];
  floats(residual, b);
  const float32x4_t ratio = vdupq_n_f32(e.b_ratio), offset = vdupq_n_f32(e.offset);
  int32x4_t steps[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j)
    steps[j] = rounded(vfmaq_f32(vfmaq_f32(offset, b[j], ratio), vcvtq_f32_s32(sums.v[j]),
                                 vld1q_f32(constants.multiplier + 4 * j)));
  return clamped(steps, constants);
}

/// All that may follow the sums of a pixel; `b`: the residual's codes, or null.
[[gnu::always_inline]] inline uint8x16_t finished(const PixelSums& sums, const PanelConstants& constants,
                                                  const uint8_t* b, size_t channels, const EpilogueU8& e) {
  if (b == nullptr) return requantized(sums, constants);
  const uint8x16_t residual = load_bytes(b, channels);
  return e.b_joins ? joined(sums, residual, constants, e) : added(requantized(sums, constants), residual, e);
}

}  // namespace

}  // namespace quantize
