// Three rows of bytes, byte by byte in turns.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace quantize {
namespace {

/// y[3 i], y[3 i + 1], y[3 i + 2] = a[i], b[i], c[i] for i < 16.
[[maybe_unused, gnu::always_inline]] inline void interleave_16(const uint8_t* a, const uint8_t* b,
                                                               const uint8_t* c, uint8_t* y) {
  const auto load = [](const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); };
  const __m128i rows[3] = {load(a), load(b), load(c)};
  for (int part = 0; part < 3; ++part) {
    __m128i bytes = _mm_setzero_si128();
    for (int row = 0; row < 3; ++row) {
      alignas(16) int8_t order[16];
      for (int i = 0; i < 16; ++i) {
        const int at = 16 * part + i;
        order[i] = static_cast<int8_t>(at % 3 == row ? at / 3 : -1);
      }
      bytes = _mm_or_si128(
          bytes, _mm_shuffle_epi8(rows[row], _mm_load_si128(reinterpret_cast<const __m128i*>(order))));
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y + 16 * part), bytes);
  }
}

}  // namespace
}  // namespace quantize
