// Vectors of 16 and of 32 bytes, for every level that has AVX2. Each object file has its own.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace quantize {
namespace {

struct U8x16 {
  using Reg = __m128i;
  using Half = U8x16;  // there is none
  static constexpr size_t kBytes = 16;
  [[gnu::always_inline]] static Reg load(const uint8_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const Reg*>(p));
  }
  [[gnu::always_inline]] static void store(uint8_t* p, Reg x) {
    _mm_storeu_si128(reinterpret_cast<Reg*>(p), x);
  }
  [[gnu::always_inline]] static Reg set1(int8_t x) { return _mm_set1_epi8(x); }
  [[gnu::always_inline]] static Reg max(Reg a, Reg b) { return _mm_max_epu8(a, b); }
  [[gnu::always_inline]] static Reg exclusive(Reg a, Reg b) { return _mm_xor_si128(a, b); }
  /// As s8.
  [[gnu::always_inline]] static Reg subtract_saturating(Reg a, Reg b) { return _mm_subs_epi8(a, b); }
  /// Sixteen bytes in every lane of a shuffle.
  [[gnu::always_inline]] static Reg repeat(const uint8_t* p) { return load(p); }
  /// Of the lane's sixteen bytes that which the index says; 0 if the index is negative.
  [[gnu::always_inline]] static Reg shuffle(Reg bytes, Reg index) { return _mm_shuffle_epi8(bytes, index); }
  /// The bytes of both in turns: of their first halves, and of their second.
  [[gnu::always_inline]] static Reg zip_low(Reg a, Reg b) { return _mm_unpacklo_epi8(a, b); }
  [[gnu::always_inline]] static Reg zip_high(Reg a, Reg b) { return _mm_unpackhi_epi8(a, b); }
  [[gnu::always_inline]] static void store_twelve(uint8_t* p, Reg x) {
    const int last = _mm_extract_epi32(x, 2);
    _mm_storel_epi64(reinterpret_cast<Reg*>(p), x);
    __builtin_memcpy(p + 8, &last, sizeof last);
  }
  /// Sixteen pixels from their planes: byte c of pixel p is byte p of plane c.
  [[gnu::always_inline]] static void interleave(const Reg (&planes)[4], Reg (&pixels)[4]) {
    const Reg low_01 = _mm_unpacklo_epi8(planes[0], planes[1]),
              high_01 = _mm_unpackhi_epi8(planes[0], planes[1]),
              low_23 = _mm_unpacklo_epi8(planes[2], planes[3]),
              high_23 = _mm_unpackhi_epi8(planes[2], planes[3]);
    pixels[0] = _mm_unpacklo_epi16(low_01, low_23);
    pixels[1] = _mm_unpackhi_epi16(low_01, low_23);
    pixels[2] = _mm_unpacklo_epi16(high_01, high_23);
    pixels[3] = _mm_unpackhi_epi16(high_01, high_23);
  }
};

struct U8x32 {
  using Reg = __m256i;
  using Half = U8x16;
  static constexpr size_t kBytes = 32;
  [[gnu::always_inline]] static Reg load(const uint8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const Reg*>(p));
  }
  [[gnu::always_inline]] static void store(uint8_t* p, Reg x) {
    _mm256_storeu_si256(reinterpret_cast<Reg*>(p), x);
  }
  [[gnu::always_inline]] static Reg set1(int8_t x) { return _mm256_set1_epi8(x); }
  [[gnu::always_inline]] static Reg max(Reg a, Reg b) { return _mm256_max_epu8(a, b); }
  [[gnu::always_inline]] static Reg exclusive(Reg a, Reg b) { return _mm256_xor_si256(a, b); }
  [[gnu::always_inline]] static Reg subtract_saturating(Reg a, Reg b) { return _mm256_subs_epi8(a, b); }
  [[gnu::always_inline]] static Reg repeat(const uint8_t* p) {
    return _mm256_broadcastsi128_si256(U8x16::load(p));
  }
  [[gnu::always_inline]] static Reg shuffle(Reg bytes, Reg index) {
    return _mm256_shuffle_epi8(bytes, index);
  }
};

}  // namespace
}  // namespace quantize
