// The vocabulary of kernels/simd in AVX2 and FMA: eight floats. A mask has all bits of a lane set or none.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx2/bytes.h"

#define QUANTIZE_INLINE [[gnu::always_inline]] static inline

namespace quantize {
namespace {

/// Eight sums in double.
struct F64x4x2 {
  __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();

  QUANTIZE_INLINE F64x4x2 load(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
  [[gnu::always_inline]] void store(double* p) const {
    _mm256_storeu_pd(p, low);
    _mm256_storeu_pd(p + 4, high);
  }
  [[gnu::always_inline]] void add(const float* x) {
    low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm_loadu_ps(x)));
    high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm_loadu_ps(x + 4)));
  }
};

struct F32x8 {
  using Sums = F64x4x2;
  using Reg = __m256;
  using Int = __m256i;
  using Mask = __m256i;
  using Bytes = U8x16;
  static constexpr size_t kLanes = 8;
  static constexpr int kTileRows = 4;  // of depthwise: what the registers hold beside a kernel

  /// The lanes [first, last); those outside [0, kLanes) do not exist.
  QUANTIZE_INLINE Mask lanes(ptrdiff_t first, ptrdiff_t last) {
    const auto clip = [](ptrdiff_t n) { return static_cast<int>(n < 0 ? 0 : n > 8 ? 8 : n); };
    const Int lane = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    return _mm256_andnot_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(clip(first)), lane),
                               _mm256_cmpgt_epi32(_mm256_set1_epi32(clip(last)), lane));
  }
  QUANTIZE_INLINE uint32_t bits(Mask mask) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(mask)));
  }
  QUANTIZE_INLINE Mask both(Mask a, Mask b) { return _mm256_and_si256(a, b); }

  QUANTIZE_INLINE Reg load(const float* p) { return _mm256_loadu_ps(p); }
  QUANTIZE_INLINE Reg load(const float* p, Mask mask) { return _mm256_maskload_ps(p, mask); }
  QUANTIZE_INLINE void store(float* p, Reg x) { _mm256_storeu_ps(p, x); }
  /// The first n lanes; by parts, because a masked store takes a dozen cycles on AMD's cores.
  QUANTIZE_INLINE void store_first(float* p, ptrdiff_t n, Reg x) {
    if (n >= 8) return store(p, x);
    __m128 part = _mm256_castps256_ps128(x);
    if (n & 4) {
      _mm_storeu_ps(p, part);
      part = _mm256_extractf128_ps(x, 1);
      p += 4;
    }
    if (n & 2) {
      _mm_storel_pi(reinterpret_cast<__m64*>(p), part);
      part = _mm_movehl_ps(part, part);
      p += 2;
    }
    if (n & 1) _mm_store_ss(p, part);
  }
  QUANTIZE_INLINE Reg gather(const float* p, size_t stride, Mask mask) {
    const Int index = _mm256_mullo_epi32(_mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0),
                                         _mm256_set1_epi32(static_cast<int>(stride)));
    return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), p, index, _mm256_castsi256_ps(mask), 4);
  }
  /// Elements 0, 2, 4, ... and 1, 3, 5, ... of the two registers behind each other.
  QUANTIZE_INLINE Reg even(Reg low, Reg high) { return in_order(evens(low, high)); }
  QUANTIZE_INLINE Reg odd(Reg low, Reg high) { return in_order(odds(low, high)); }
  /// The same in an order of their own, which is that of in_order().
  QUANTIZE_INLINE Reg evens(Reg low, Reg high) {
    return _mm256_shuffle_ps(low, high, _MM_SHUFFLE(2, 0, 2, 0));
  }
  QUANTIZE_INLINE Reg odds(Reg low, Reg high) {
    return _mm256_shuffle_ps(low, high, _MM_SHUFFLE(3, 1, 3, 1));
  }
  /// Undoes that a shuffle works on the halves of two registers by themselves.
  QUANTIZE_INLINE Reg in_order(Reg x) {
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(x), _MM_SHUFFLE(3, 1, 2, 0)));
  }
  /// The element of the next lane, and that of the first in the last lane.
  QUANTIZE_INLINE Reg next_lanes(Reg x) {
    return _mm256_permutevar8x32_ps(x, _mm256_set_epi32(0, 7, 6, 5, 4, 3, 2, 1));
  }
  /// The elements of both in turns: of their first halves, and of their second.
  QUANTIZE_INLINE Reg zip_low(Reg a, Reg b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20);
  }
  QUANTIZE_INLINE Reg zip_high(Reg a, Reg b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31);
  }

  QUANTIZE_INLINE Reg set1(float x) { return _mm256_set1_ps(x); }
  QUANTIZE_INLINE Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  QUANTIZE_INLINE Reg sub(Reg a, Reg b) { return _mm256_sub_ps(a, b); }
  QUANTIZE_INLINE Reg mul(Reg a, Reg b) { return _mm256_mul_ps(a, b); }
  QUANTIZE_INLINE Reg div(Reg a, Reg b) { return _mm256_div_ps(a, b); }
  QUANTIZE_INLINE Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  /// b where either is NaN or both are zero.
  QUANTIZE_INLINE Reg min(Reg a, Reg b) { return _mm256_min_ps(a, b); }
  QUANTIZE_INLINE Reg max(Reg a, Reg b) { return _mm256_max_ps(a, b); }
  QUANTIZE_INLINE Reg abs(Reg x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
  QUANTIZE_INLINE Reg round(Reg x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  QUANTIZE_INLINE Reg trunc(Reg x) { return _mm256_round_ps(x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
  /// x * 2^n for an integral n in [-252, 252], in two steps, each of them a normal power of two.
  QUANTIZE_INLINE Reg scale(Reg x, Reg n) {
    const Int all = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(all, 1);
    return _mm256_mul_ps(_mm256_mul_ps(x, power(half)), power(_mm256_sub_epi32(all, half)));
  }
  /// The same where x, 2^n and the result are normal, or NaN.
  QUANTIZE_INLINE Reg scale_normal(Reg x, Reg n) {
    const Int exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), exponent));
  }

  QUANTIZE_INLINE Mask finite(Reg x) {
    return _mm256_castps_si256(_mm256_cmp_ps(abs(x), _mm256_set1_ps(__builtin_inff()), _CMP_LT_OQ));
  }
  QUANTIZE_INLINE Mask less(Reg a, Reg b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
  QUANTIZE_INLINE Mask equal(Reg a, Reg b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)); }
  /// mask ? a : b
  QUANTIZE_INLINE Reg select(Mask mask, Reg a, Reg b) {
    return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(mask));
  }

  QUANTIZE_INLINE Int to_int(Reg x) { return _mm256_cvtps_epi32(x); }
  QUANTIZE_INLINE Int add_int(Int a, int32_t b) { return _mm256_add_epi32(a, _mm256_set1_epi32(b)); }
  QUANTIZE_INLINE void store_ints(int32_t* p, Int x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x);
  }
  /// Every lane as an integer, of `spare` where the mask has it not. Returns their number.
  QUANTIZE_INLINE size_t store_selected(int32_t* p, Mask mask, Reg x, Reg spare) {
    store_ints(p, to_int(select(mask, x, spare)));
    return kLanes;
  }
  /// The low byte of every lane.
  QUANTIZE_INLINE void store_bytes(void* p, Int x) {
    const Int low = _mm256_and_si256(x, _mm256_set1_epi32(255));
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    _mm_storel_epi64(static_cast<__m128i*>(p), _mm_packus_epi16(words, words));
  }

  /// Eight codes.
  QUANTIZE_INLINE Reg codes(const uint8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  /// Every lane, clamped to [0, 255].
  QUANTIZE_INLINE void store_saturated(uint8_t* p, Int x) {
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
  }
  /// Sixteen lanes, clamped to [0, 255].
  QUANTIZE_INLINE __m128i sixteen_bytes(const Int (&x)[2]) {
    const Int words = _mm256_packs_epi32(x[0], x[1]);  // by halves: 0 to 3, 8 to 11; 4 to 7, 12 to 15
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    return _mm_shuffle_epi32(bytes, _MM_SHUFFLE(3, 1, 2, 0));
  }
  QUANTIZE_INLINE Int zero_ints() { return _mm256_setzero_si256(); }
  QUANTIZE_INLINE Int add_ints(Int a, Int b) { return _mm256_add_epi32(a, b); }
  QUANTIZE_INLINE Reg to_floats(Int x) { return _mm256_cvtepi32_ps(x); }
  /// x, of which the compiler is made to know nothing, and to believe that it is needed.
  QUANTIZE_INLINE Reg unknown(Reg x) {
    asm volatile("" : "+x"(x));
    return x;
  }

 private:
  QUANTIZE_INLINE Reg power(Int n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
  }
};

}  // namespace
}  // namespace quantize
