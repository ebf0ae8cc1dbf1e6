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
