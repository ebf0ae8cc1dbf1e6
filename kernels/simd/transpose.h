// The transposition of a matrix of bytes, in tiles of 16 x 16.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace quantize::simd {
namespace {

constexpr size_t kTile = 16;

/// Interleaves register i with register i + 8, four times: after it register i holds column i.
[[maybe_unused, gnu::always_inline]] inline void transpose_tile(const uint8_t* x, size_t x_stride, uint8_t* y,
                                                                size_t y_stride) {
  __m128i tile[kTile], next[kTile];
#pragma GCC unroll 16
  for (size_t i = 0; i < kTile; ++i)
    tile[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i * x_stride));
#pragma GCC unroll 4
  for (int stage = 0; stage < 4; ++stage) {
#pragma GCC unroll 8
    for (size_t i = 0; i < kTile / 2; ++i) {
      next[2 * i] = _mm_unpacklo_epi8(tile[i], tile[i + kTile / 2]);
      next[2 * i + 1] = _mm_unpackhi_epi8(tile[i], tile[i + kTile / 2]);
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < kTile; ++i) tile[i] = next[i];
  }
#pragma GCC unroll 16
  for (size_t i = 0; i < kTile; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i * y_stride), tile[i]);
}

/// The last tiles overlap those before them; matrices too narrow for a tile go byte by byte.
[[maybe_unused]] void transpose_u8(const uint8_t* x, size_t rows, size_t columns, size_t x_stride, uint8_t* y,
                                   size_t y_stride) noexcept {
  if (rows < kTile || columns < kTile) {
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = 0; c < columns; ++c) y[c * y_stride + r] = x[r * x_stride + c];
    return;
  }
  for (size_t r = 0; r < rows; r += kTile) {
    const size_t row = r < rows - kTile ? r : rows - kTile;
    for (size_t c = 0; c < columns; c += kTile) {
      const size_t column = c < columns - kTile ? c : columns - kTile;
      transpose_tile(x + row * x_stride + column, x_stride, y + column * y_stride + row, y_stride);
    }
  }
}

}  // namespace
}  // namespace quantize::simd
