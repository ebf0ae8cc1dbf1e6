// The vocabulary of kernels/simd in Advanced SIMD of AArch64: four floats, sixteen bytes. A mask has all bits
// of a lane set or none.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#define QUANTIZE_INLINE [[gnu::always_inline]] static inline

namespace quantize {
namespace {

struct U8x16 {
  using Reg = uint8x16_t;
  using Half = U8x16;  // there is none
  static constexpr size_t kBytes = 16;
  QUANTIZE_INLINE Reg load(const uint8_t* p) { return vld1q_u8(p); }
  QUANTIZE_INLINE void store(uint8_t* p, Reg x) { vst1q_u8(p, x); }
  QUANTIZE_INLINE Reg max(Reg a, Reg b) { return vmaxq_u8(a, b); }
  /// The bytes that the indices say; 0 if an index is above 15.
  QUANTIZE_INLINE Reg shuffle(Reg bytes, Reg index) { return vqtbl1q_u8(bytes, index); }
  /// The bytes of both in turns: of their first halves, and of their second.
  QUANTIZE_INLINE Reg zip_low(Reg a, Reg b) { return vzip1q_u8(a, b); }
  QUANTIZE_INLINE Reg zip_high(Reg a, Reg b) { return vzip2q_u8(a, b); }
  QUANTIZE_INLINE void store_twelve(uint8_t* p, Reg x) {
    const uint32_t last = vgetq_lane_u32(vreinterpretq_u32_u8(x), 2);
    vst1_u8(p, vget_low_u8(x));
    __builtin_memcpy(p + 8, &last, sizeof last);
  }
  /// Sixteen pixels from their planes: byte c of pixel p is byte p of plane c.
  QUANTIZE_INLINE void interleave(const Reg (&planes)[4], Reg (&pixels)[4]) {
    const auto words = [](Reg x) __attribute__((always_inline)) {
      return vreinterpretq_u16_u8(x);
    };
    const auto low_01 = words(vzip1q_u8(planes[0], planes[1])),
               high_01 = words(vzip2q_u8(planes[0], planes[1])),
               low_23 = words(vzip1q_u8(planes[2], planes[3])),
               high_23 = words(vzip2q_u8(planes[2], planes[3]));
    pixels[0] = vreinterpretq_u8_u16(vzip1q_u16(low_01, low_23));
    pixels[1] = vreinterpretq_u8_u16(vzip2q_u16(low_01, low_23));
    pixels[2] = vreinterpretq_u8_u16(vzip1q_u16(high_01, high_23));
    pixels[3] = vreinterpretq_u8_u16(vzip2q_u16(high_01, high_23));
  }
};

/// Eight sums in double.
struct F64x2x4 {
  float64x2_t at[4] = {vdupq_n_f64(0), vdupq_n_f64(0), vdupq_n_f64(0), vdupq_n_f64(0)};

  QUANTIZE_INLINE F64x2x4 load(const double* p) {
    return {{vld1q_f64(p), vld1q_f64(p + 2), vld1q_f64(p + 4), vld1q_f64(p + 6)}};
  }
  [[gnu::always_inline]] void store(double* p) const {
    for (int i = 0; i < 4; ++i) vst1q_f64(p + 2 * i, at[i]);
  }
  [[gnu::always_inline]] void add(const float* x) {
    for (int i = 0; i < 4; ++i) at[i] = vaddq_f64(at[i], vcvt_f64_f32(vld1_f32(x + 2 * i)));
  }
};

struct F32x4 {
  using Sums = F64x2x4;
  using Reg = float32x4_t;
  using Int = int32x4_t;
  using Mask = uint32x4_t;
  using Bytes = U8x16;
  static constexpr size_t kLanes = 4;
  static constexpr int kTileRows = 2;  // of depthwise: what the registers hold beside a kernel

  /// The lanes [first, last); those outside [0, kLanes) do not exist.
  QUANTIZE_INLINE Mask lanes(ptrdiff_t first, ptrdiff_t last) {
    const auto clip = [](ptrdiff_t n) { return static_cast<int32_t>(n < 0 ? 0 : n > 4 ? 4 : n); };
    const Int lane = vld1q_s32(kLaneNumbers);
    return vandq_u32(vcgeq_s32(lane, vdupq_n_s32(clip(first))), vcltq_s32(lane, vdupq_n_s32(clip(last))));
  }
  QUANTIZE_INLINE uint32_t bits(Mask mask) {
    return vaddvq_u32(vandq_u32(mask, vshlq_u32(vdupq_n_u32(1), vld1q_s32(kLaneNumbers))));
  }
  QUANTIZE_INLINE Mask both(Mask a, Mask b) { return vandq_u32(a, b); }

  QUANTIZE_INLINE Reg load(const float* p) { return vld1q_f32(p); }
  QUANTIZE_INLINE Reg load(const float* p, Mask mask) { return gather(p, 1, mask); }
  QUANTIZE_INLINE void store(float* p, Reg x) { vst1q_f32(p, x); }
  QUANTIZE_INLINE void store_first(float* p, ptrdiff_t n, Reg x) {
    if (n >= 4) return store(p, x);
    if (n & 2) {
      vst1_f32(p, vget_low_f32(x));
      x = vextq_f32(x, x, 2);
      p += 2;
    }
    if (n & 1) vst1q_lane_f32(p, x, 0);
  }
  /// Lane by lane: what the mask leaves out is not read.
  QUANTIZE_INLINE Reg gather(const float* p, size_t stride, Mask mask) {
    Reg x = vdupq_n_f32(0);
    if (vgetq_lane_u32(mask, 0)) x = vld1q_lane_f32(p, x, 0);
    if (vgetq_lane_u32(mask, 1)) x = vld1q_lane_f32(p + stride, x, 1);
    if (vgetq_lane_u32(mask, 2)) x = vld1q_lane_f32(p + 2 * stride, x, 2);
    if (vgetq_lane_u32(mask, 3)) x = vld1q_lane_f32(p + 3 * stride, x, 3);
    return x;
  }
  /// Elements 0, 2, 4, ... and 1, 3, 5, ... of the two registers behind each other.
  QUANTIZE_INLINE Reg even(Reg low, Reg high) { return vuzp1q_f32(low, high); }
  QUANTIZE_INLINE Reg odd(Reg low, Reg high) { return vuzp2q_f32(low, high); }
  /// The same in an order of their own, which is that of in_order().
  QUANTIZE_INLINE Reg evens(Reg low, Reg high) { return even(low, high); }
  QUANTIZE_INLINE Reg odds(Reg low, Reg high) { return odd(low, high); }
  QUANTIZE_INLINE Reg in_order(Reg x) { return x; }
  /// The element of the next lane, and that of the first in the last lane.
  QUANTIZE_INLINE Reg next_lanes(Reg x) { return vextq_f32(x, x, 1); }
  /// The elements of both in turns: of their first halves, and of their second.
  QUANTIZE_INLINE Reg zip_low(Reg a, Reg b) { return vzip1q_f32(a, b); }
  QUANTIZE_INLINE Reg zip_high(Reg a, Reg b) { return vzip2q_f32(a, b); }

  QUANTIZE_INLINE Reg set1(float x) { return vdupq_n_f32(x); }
  QUANTIZE_INLINE Reg add(Reg a, Reg b) { return vaddq_f32(a, b); }
  QUANTIZE_INLINE Reg sub(Reg a, Reg b) { return vsubq_f32(a, b); }
  QUANTIZE_INLINE Reg mul(Reg a, Reg b) { return vmulq_f32(a, b); }
  QUANTIZE_INLINE Reg div(Reg a, Reg b) { return vdivq_f32(a, b); }
  QUANTIZE_INLINE Reg fma(Reg a, Reg b, Reg c) { return vfmaq_f32(c, a, b); }
  /// b where either is NaN or both are zero: not what fmin and fmax do.
  QUANTIZE_INLINE Reg min(Reg a, Reg b) { return select(less(a, b), a, b); }
  QUANTIZE_INLINE Reg max(Reg a, Reg b) { return select(less(b, a), a, b); }
  QUANTIZE_INLINE Reg abs(Reg x) { return vabsq_f32(x); }
  QUANTIZE_INLINE Reg round(Reg x) { return vrndnq_f32(x); }
  QUANTIZE_INLINE Reg trunc(Reg x) { return vrndq_f32(x); }
  /// x * 2^n for an integral n in [-252, 252], in two steps, each of them a normal power of two.
  QUANTIZE_INLINE Reg scale(Reg x, Reg n) {
    const Int all = vcvtnq_s32_f32(n), half = vshrq_n_s32(all, 1);
    return vmulq_f32(vmulq_f32(x, power(half)), power(vsubq_s32(all, half)));
  }
  /// The same where x, 2^n and the result are normal, or NaN.
  QUANTIZE_INLINE Reg scale_normal(Reg x, Reg n) {
    const Int exponent = vshlq_n_s32(vcvtnq_s32_f32(n), 23);
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x), exponent));
  }

  QUANTIZE_INLINE Mask finite(Reg x) { return less(abs(x), set1(__builtin_inff())); }
  QUANTIZE_INLINE Mask less(Reg a, Reg b) { return vcltq_f32(a, b); }
  QUANTIZE_INLINE Mask equal(Reg a, Reg b) { return vceqq_f32(a, b); }
  /// mask ? a : b
  QUANTIZE_INLINE Reg select(Mask mask, Reg a, Reg b) { return vbslq_f32(mask, a, b); }

  /// Half to even; the ends of s32 beyond them.
  QUANTIZE_INLINE Int to_int(Reg x) { return vcvtnq_s32_f32(x); }
  QUANTIZE_INLINE Int add_int(Int a, int32_t b) { return vaddq_s32(a, vdupq_n_s32(b)); }
  QUANTIZE_INLINE void store_ints(int32_t* p, Int x) { vst1q_s32(p, x); }
  /// Every lane as an integer, of `spare` where the mask has it not. Returns their number.
  QUANTIZE_INLINE size_t store_selected(int32_t* p, Mask mask, Reg x, Reg spare) {
    store_ints(p, to_int(select(mask, x, spare)));
    return kLanes;
  }
  /// The low byte of every lane.
  QUANTIZE_INLINE void store_bytes(void* p, Int x) {
    const uint16x4_t words = vmovn_u32(vreinterpretq_u32_s32(x));
    store_dword(p, vmovn_u16(vcombine_u16(words, words)));
  }

  /// Four codes.
  QUANTIZE_INLINE Reg codes(const uint8_t* p) {
    uint32_t dword;
    __builtin_memcpy(&dword, p, sizeof dword);
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(dword)))));
  }
  /// Every lane, clamped to [0, 255].
  QUANTIZE_INLINE void store_saturated(uint8_t* p, Int x) {
    const int16x4_t words = vqmovn_s32(x);
    store_dword(p, vqmovun_s16(vcombine_s16(words, words)));
  }
  /// Sixteen lanes, clamped to [0, 255].
  QUANTIZE_INLINE uint8x16_t sixteen_bytes(const Int (&x)[4]) {
    return vcombine_u8(vqmovun_s16(vcombine_s16(vqmovn_s32(x[0]), vqmovn_s32(x[1]))),
                       vqmovun_s16(vcombine_s16(vqmovn_s32(x[2]), vqmovn_s32(x[3]))));
  }
  QUANTIZE_INLINE Int zero_ints() { return vdupq_n_s32(0); }
  QUANTIZE_INLINE Int add_ints(Int a, Int b) { return vaddq_s32(a, b); }
  QUANTIZE_INLINE Reg to_floats(Int x) { return vcvtq_f32_s32(x); }
  /// x, of which the compiler is made to know nothing, and to believe that it is needed.
  QUANTIZE_INLINE Reg unknown(Reg x) {
    asm volatile("" : "+w"(x));
    return x;
  }

 private:
  static constexpr int32_t kLaneNumbers[] = {0, 1, 2, 3};

  QUANTIZE_INLINE void store_dword(void* p, uint8x8_t x) {
    const uint32_t dword = vget_lane_u32(vreinterpret_u32_u8(x), 0);
    __builtin_memcpy(p, &dword, sizeof dword);
  }
  QUANTIZE_INLINE Reg power(Int n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
  }
};

}  // namespace
}  // namespace quantize
