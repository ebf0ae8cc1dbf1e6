// The transposition of a matrix of bytes, in tiles of 16 x 16, for any vector B of sixteen bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quantize::simd {

constexpr size_t kTile = 16;

/// Interleaves register i with register i + 8, four times: after it register i holds column i.
template <typename B>
[[gnu::always_inline]] inline void transpose_tile(const uint8_t* x, size_t x_stride, uint8_t* y,
                                                  size_t y_stride) {
  typename B::Reg tile[kTile], next[kTile];
#pragma GCC unroll 16
  for (size_t i = 0; i < kTile; ++i) tile[i] = B::load(x + i * x_stride);
#pragma GCC unroll 4
  for (int stage = 0; stage < 4; ++stage) {
#pragma GCC unroll 8
    for (size_t i = 0; i < kTile / 2; ++i) {
      next[2 * i] = B::zip_low(tile[i], tile[i + kTile / 2]);
      next[2 * i + 1] = B::zip_high(tile[i], tile[i + kTile / 2]);
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < kTile; ++i) tile[i] = next[i];
  }
#pragma GCC unroll 16
  for (size_t i = 0; i < kTile; ++i) B::store(y + i * y_stride, tile[i]);
}

/// The last tiles overlap those before them; matrices too narrow for a tile go byte by byte.
template <typename B>
void transpose(const uint8_t* x, size_t rows, size_t columns, size_t x_stride, uint8_t* y,
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
      transpose_tile<B>(x + row * x_stride + column, x_stride, y + column * y_stride + row, y_stride);
    }
  }
}

}  // namespace quantize::simd
