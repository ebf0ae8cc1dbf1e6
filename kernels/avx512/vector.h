// The vocabulary of kernels/simd in AVX-512: sixteen floats, and eight of them for images narrower than that.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx2/bytes.h"

#define QUANTIZE_INLINE [[gnu::always_inline]] static inline

namespace quantize {
namespace {

/// Eight sums in double.
struct F64x8 {
  __m512d at = _mm512_setzero_pd();

  QUANTIZE_INLINE F64x8 load(const double* p) { return {_mm512_loadu_pd(p)}; }
  [[gnu::always_inline]] void store(double* p) const { _mm512_storeu_pd(p, at); }
  [[gnu::always_inline]] void add(const float* x) {
    at = _mm512_add_pd(at, _mm512_cvtps_pd(_mm256_loadu_ps(x)));
  }
};

struct F32x16 {
  using Sums = F64x8;
  using Reg = __m512;
  using Int = __m512i;
  using Mask = __mmask16;
  using Bytes = U8x16;
  static constexpr size_t kLanes = 16;
  static constexpr int kTileRows = 4;  // of depthwise: what the registers hold beside a kernel

  /// The lanes [first, last); those outside [0, kLanes) do not exist.
  QUANTIZE_INLINE Mask lanes(ptrdiff_t first, ptrdiff_t last) {
    const auto below = [](ptrdiff_t n) { return n <= 0 ? 0u : n >= 16 ? 0xffffu : (1u << n) - 1; };
    return static_cast<Mask>(below(last) & ~below(first));
  }
  QUANTIZE_INLINE uint32_t bits(Mask mask) { return mask; }
  QUANTIZE_INLINE Mask both(Mask a, Mask b) { return a & b; }

  QUANTIZE_INLINE Reg load(const float* p) { return _mm512_loadu_ps(p); }
  QUANTIZE_INLINE Reg load(const float* p, Mask mask) { return _mm512_maskz_loadu_ps(mask, p); }
  QUANTIZE_INLINE void store(float* p, Reg x) { _mm512_storeu_ps(p, x); }
  /// The first n lanes.
  QUANTIZE_INLINE void store_first(float* p, ptrdiff_t n, Reg x) { _mm512_mask_storeu_ps(p, lanes(0, n), x); }
  QUANTIZE_INLINE Reg gather(const float* p, size_t stride, Mask mask) {
    const Int index =
        _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                           _mm512_set1_epi32(static_cast<int>(stride)));
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, index, p, 4);
  }
  /// Elements 0, 2, 4, ... and 1, 3, 5, ... of the two registers behind each other.
  QUANTIZE_INLINE Reg even(Reg low, Reg high) {
    const Int index = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    return _mm512_permutex2var_ps(low, index, high);
  }
  QUANTIZE_INLINE Reg odd(Reg low, Reg high) {
    const Int index = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    return _mm512_permutex2var_ps(low, index, high);
  }
  /// The same in an order of their own, which is that of in_order().
  QUANTIZE_INLINE Reg evens(Reg low, Reg high) { return even(low, high); }
  QUANTIZE_INLINE Reg odds(Reg low, Reg high) { return odd(low, high); }
  QUANTIZE_INLINE Reg in_order(Reg x) { return x; }
  /// The element of the next lane, and that of the first in the last lane.
  QUANTIZE_INLINE Reg next_lanes(Reg x) {
    const Int ints = _mm512_castps_si512(x);
    return _mm512_castsi512_ps(_mm512_alignr_epi32(ints, ints, 1));
  }
  /// The elements of both in turns: of their first halves, and of their second.
  QUANTIZE_INLINE Reg zip_low(Reg a, Reg b) {
    const Int index = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutex2var_ps(a, index, b);
  }
  QUANTIZE_INLINE Reg zip_high(Reg a, Reg b) {
    const Int index = _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8);
    return _mm512_permutex2var_ps(a, index, b);
  }

  QUANTIZE_INLINE Reg set1(float x) { return _mm512_set1_ps(x); }
  QUANTIZE_INLINE Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  QUANTIZE_INLINE Reg sub(Reg a, Reg b) { return _mm512_sub_ps(a, b); }
  QUANTIZE_INLINE Reg mul(Reg a, Reg b) { return _mm512_mul_ps(a, b); }
  QUANTIZE_INLINE Reg div(Reg a, Reg b) { return _mm512_div_ps(a, b); }
  QUANTIZE_INLINE Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
  /// b where either is NaN or both are zero.
  QUANTIZE_INLINE Reg min(Reg a, Reg b) { return _mm512_min_ps(a, b); }
  QUANTIZE_INLINE Reg max(Reg a, Reg b) { return _mm512_max_ps(a, b); }
  QUANTIZE_INLINE Reg abs(Reg x) { return _mm512_abs_ps(x); }
  QUANTIZE_INLINE Reg round(Reg x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  QUANTIZE_INLINE Reg trunc(Reg x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
  /// x * 2^n for an integral n.
  QUANTIZE_INLINE Reg scale(Reg x, Reg n) { return _mm512_scalef_ps(x, n); }
  /// The same where x, 2^n and the result are normal, or NaN.
  QUANTIZE_INLINE Reg scale_normal(Reg x, Reg n) { return scale(x, n); }

  QUANTIZE_INLINE Mask finite(Reg x) { return static_cast<Mask>(~_mm512_fpclass_ps_mask(x, 0x99)); }
  QUANTIZE_INLINE Mask less(Reg a, Reg b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  QUANTIZE_INLINE Mask equal(Reg a, Reg b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
  /// mask ? a : b
  QUANTIZE_INLINE Reg select(Mask mask, Reg a, Reg b) { return _mm512_mask_blend_ps(mask, b, a); }

  QUANTIZE_INLINE Int to_int(Reg x) { return _mm512_cvtps_epi32(x); }
  QUANTIZE_INLINE Int add_int(Int a, int32_t b) { return _mm512_add_epi32(a, _mm512_set1_epi32(b)); }
  QUANTIZE_INLINE void store_ints(int32_t* p, Int x) { _mm512_storeu_si512(p, x); }
  /// The lanes of the mask as integers, one behind the other. Returns their number; what is behind them is undefined.
  QUANTIZE_INLINE size_t store_selected(int32_t* p, Mask mask, Reg x, Reg) {
    store_ints(p, _mm512_maskz_compress_epi32(mask, to_int(x)));
    return static_cast<size_t>(__builtin_popcount(mask));
  }
  /// The low byte of every lane.
  QUANTIZE_INLINE void store_bytes(void* p, Int x) {
    _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x));
  }

  /// Sixteen codes.
  QUANTIZE_INLINE Reg codes(const uint8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  /// The first `n` codes; the others are 0 and are not read.
  QUANTIZE_INLINE Reg codes(const uint8_t* p, size_t n) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(lanes(0, static_cast<ptrdiff_t>(n)), p)));
  }
  /// Every lane, clamped to [0, 255].
  QUANTIZE_INLINE __m128i sixteen_bytes(const Int (&x)[1]) {
    return _mm512_cvtusepi32_epi8(_mm512_max_epi32(x[0], _mm512_setzero_si512()));
  }
  QUANTIZE_INLINE void store_saturated(uint8_t* p, Int x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), sixteen_bytes({x}));
  }
  QUANTIZE_INLINE void store_saturated(uint8_t* p, Int x, size_t n) {
    _mm_mask_storeu_epi8(p, lanes(0, static_cast<ptrdiff_t>(n)), sixteen_bytes({x}));
  }
  QUANTIZE_INLINE Int zero_ints() { return _mm512_setzero_si512(); }
  QUANTIZE_INLINE Int add_ints(Int a, Int b) { return _mm512_add_epi32(a, b); }
  QUANTIZE_INLINE Reg to_floats(Int x) { return _mm512_cvtepi32_ps(x); }
  /// x, of which the compiler is made to know nothing, and to believe that it is needed.
  QUANTIZE_INLINE Reg unknown(Reg x) {
    asm volatile("" : "+v"(x));
    return x;
  }
};

struct U8x64 {
  using Reg = __m512i;
  using Half = U8x32;
  static constexpr size_t kBytes = 64;
  QUANTIZE_INLINE Reg load(const uint8_t* p) { return _mm512_loadu_si512(p); }
  QUANTIZE_INLINE void store(uint8_t* p, Reg x) { _mm512_storeu_si512(p, x); }
  QUANTIZE_INLINE Reg set1(int8_t x) { return _mm512_set1_epi8(x); }
  QUANTIZE_INLINE Reg max(Reg a, Reg b) { return _mm512_max_epu8(a, b); }
  QUANTIZE_INLINE Reg exclusive(Reg a, Reg b) { return _mm512_xor_si512(a, b); }
  QUANTIZE_INLINE Reg subtract_saturating(Reg a, Reg b) { return _mm512_subs_epi8(a, b); }
  QUANTIZE_INLINE Reg repeat(const uint8_t* p) { return _mm512_broadcast_i32x4(U8x16::load(p)); }
  QUANTIZE_INLINE Reg shuffle(Reg bytes, Reg index) { return _mm512_shuffle_epi8(bytes, index); }
};

/// Half a vector, with all 32 registers: for images not wider than it. It has the members that gemm and
/// depthwise use.
struct F32x8 {
  using Reg = __m256;
  using Mask = __mmask8;
  using Bytes = U8x16;
  static constexpr size_t kLanes = 8;
  static constexpr int kTileRows = 4;  // of depthwise: what the registers hold beside a kernel

  QUANTIZE_INLINE Mask lanes(ptrdiff_t first, ptrdiff_t last) {
    return static_cast<Mask>(F32x16::lanes(first, last));
  }
  QUANTIZE_INLINE Reg load(const float* p) { return _mm256_loadu_ps(p); }
  QUANTIZE_INLINE Reg load(const float* p, Mask mask) { return _mm256_maskz_loadu_ps(mask, p); }
  QUANTIZE_INLINE void store(float* p, Reg x) { _mm256_storeu_ps(p, x); }
  QUANTIZE_INLINE void store_first(float* p, ptrdiff_t n, Reg x) { _mm256_mask_storeu_ps(p, lanes(0, n), x); }
  QUANTIZE_INLINE Reg gather(const float* p, size_t stride, Mask mask) {
    const __m256i index = _mm256_mullo_epi32(_mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0),
                                             _mm256_set1_epi32(static_cast<int>(stride)));
    return _mm256_mmask_i32gather_ps(_mm256_setzero_ps(), mask, index, p, 4);
  }
  QUANTIZE_INLINE Reg even(Reg low, Reg high) {
    return _mm256_permutex2var_ps(low, _mm256_set_epi32(14, 12, 10, 8, 6, 4, 2, 0), high);
  }
  QUANTIZE_INLINE Reg odd(Reg low, Reg high) {
    return _mm256_permutex2var_ps(low, _mm256_set_epi32(15, 13, 11, 9, 7, 5, 3, 1), high);
  }
  QUANTIZE_INLINE Reg evens(Reg low, Reg high) { return even(low, high); }
  QUANTIZE_INLINE Reg odds(Reg low, Reg high) { return odd(low, high); }
  QUANTIZE_INLINE Reg in_order(Reg x) { return x; }
  QUANTIZE_INLINE Reg set1(float x) { return _mm256_set1_ps(x); }
  QUANTIZE_INLINE Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  QUANTIZE_INLINE Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  QUANTIZE_INLINE Reg min(Reg a, Reg b) { return _mm256_min_ps(a, b); }
  QUANTIZE_INLINE Reg max(Reg a, Reg b) { return _mm256_max_ps(a, b); }
};

}  // namespace
}  // namespace quantize
