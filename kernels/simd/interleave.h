// Three rows of bytes, byte by byte in turns.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace quantize {
namespace {

/// For each part of 16 result bytes and each row: which byte of the row stands there, -1 for another row's.
struct InterleaveOrder {
  constexpr InterleaveOrder() : bytes{} {
    for (int part = 0; part < 3; ++part)
      for (int i = 0; i < 16; ++i)
        for (int row = 0; row < 3; ++row) {
          const int at = 16 * part + i;
          bytes[part][row][i] = static_cast<int8_t>(at % 3 == row ? at / 3 : -1);
        }
  }
  alignas(16) int8_t bytes[3][3][16];
};
constexpr InterleaveOrder kInterleaveOrder;

/// y[3 i], y[3 i + 1], y[3 i + 2] = a[i], b[i], c[i] for i < 16.
[[maybe_unused, gnu::always_inline]] inline void interleave_16(const uint8_t* a, const uint8_t* b,
                                                               const uint8_t* c, uint8_t* y) {
  const auto load = [](const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); };
  const __m128i rows[3] = {load(a), load(b), load(c)};
  for (int part = 0; part < 3; ++part) {
    const auto& order = kInterleaveOrder.bytes[part];
    const __m128i first =
        _mm_or_si128(_mm_shuffle_epi8(rows[0], load(order[0])), _mm_shuffle_epi8(rows[1], load(order[1])));
    const __m128i bytes = _mm_or_si128(first, _mm_shuffle_epi8(rows[2], load(order[2])));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y + 16 * part), bytes);
  }
}

}  // namespace
}  // namespace quantize
