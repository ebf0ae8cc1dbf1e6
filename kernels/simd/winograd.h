// Winograd's transforms of whole bands for any vector type V: a vector holds neighbouring tiles. Start at
// winograd_input_tiles(): down the columns of the image first, then along its rows, which are taken apart into tiles.
#pragma once

#include <cstddef>

#include "kernels/kernel_table.h"
#include "kernels/simd/winograd_transform.h"

namespace quantize::simd {

/// Tiles of a row that a vector of inputs is taken apart for: the last lane lacks what lies right of it.
template <typename V>
constexpr size_t kInputTiles = V::kLanes - 1;

/// B^T x along the columns of the image, for the rows of a row of tiles: kTile + 2 lines of numbers, `pitch` apart, with
/// the padding left and right of the image. rows[i] is null outside the image.
template <typename V, int kTile>
[[gnu::always_inline]] inline void transform_columns(const WinogradInputF32& call,
                                                     const float* const (&rows)[kTile + 2], float* lines,
                                                     size_t pitch) {
  using Reg = typename V::Reg;
  constexpr int kSize = kTile + 2;
  const auto width = static_cast<ptrdiff_t>(call.width);
  for (size_t q = 0; q < call.tiles * kTile + 2; q += V::kLanes) {
    const ptrdiff_t at = static_cast<ptrdiff_t>(q) - static_cast<ptrdiff_t>(call.pad_left);
    const bool inside = at >= 0 && at + static_cast<ptrdiff_t>(V::kLanes) <= width;
    const auto lanes = V::lanes(-at, width - at);
    Reg d[kSize], r[kSize];
#pragma GCC unroll 8
    for (int i = 0; i < kSize; ++i) {
      if (rows[i] == nullptr)
        d[i] = V::set1(0);
      else
        d[i] = inside ? V::load(rows[i] + at) : V::load(rows[i] + at, lanes);
    }
    Winograd<V, kTile>::input(d, r);
#pragma GCC unroll 8
    for (int i = 0; i < kSize; ++i) V::store(lines + static_cast<size_t>(i) * pitch + q, r[i]);
  }
}

/// x[j], lane t = p[kTile * t + j] for j < kTile + 2 and t < kInputTiles.
template <typename V, int kTile>
[[gnu::always_inline]] inline void load_tiles(const float* p, typename V::Reg (&x)[kTile + 2]) {
  typename V::Reg even[kTile / 2], odd[kTile / 2];
#pragma GCC unroll 2
  for (int half = 0; half < kTile / 2; ++half) {
    const auto a = V::load(p + 2 * half * V::kLanes), b = V::load(p + (2 * half + 1) * V::kLanes);
    even[half] = V::even(a, b);
    odd[half] = V::odd(a, b);
  }
  if constexpr (kTile == 2) {
    x[0] = even[0];
    x[1] = odd[0];
  } else {
    x[0] = V::even(even[0], even[1]);
    x[1] = V::even(odd[0], odd[1]);
    x[2] = V::odd(even[0], even[1]);
    x[3] = V::odd(odd[0], odd[1]);
  }
  x[kTile] = V::next_lanes(x[0]);
  x[kTile + 1] = V::next_lanes(x[1]);
}

template <typename V, int kTile>
void winograd_input_tiles(const WinogradInputF32& call) {
  using Reg = typename V::Reg;
  constexpr int kSize = kTile + 2;
  const size_t pitch = winograd_line(kTile, call.tiles);
  for (size_t row = call.first_row; row < call.last_row; ++row) {
    const float* rows[kSize];
    for (size_t i = 0; i < kSize; ++i) {
      const size_t y = row * kTile + i - call.pad_top;  // wraps above the image: then >= height
      rows[i] = y < call.height ? call.x + y * call.width : nullptr;
    }
    transform_columns<V, kTile>(call, rows, call.scratch, pitch);
    float* v = call.v + (row - call.first_row) * call.tiles;
    for (int i = 0; i < kSize; ++i)
      for (size_t t = 0; t < call.tiles; t += kInputTiles<V>) {
        Reg x[kSize], r[kSize];
        load_tiles<V, kTile>(call.scratch + static_cast<size_t>(i) * pitch + t * kTile, x);
        Winograd<V, kTile>::input(x, r);
        // What a vector writes behind the end of a row of tiles is overwritten by the next one.
#pragma GCC unroll 8
        for (int j = 0; j < kSize; ++j)
          V::store(v + static_cast<size_t>(i * kSize + j) * call.v_stride + t, r[j]);
      }
  }
}

/// y[q], lane l = element q * kLanes + l of x[0] lane 0, x[1] lane 0, ..., x[0] lane 1, ...
template <typename V, int kTile>
[[gnu::always_inline]] inline void interleave(const typename V::Reg (&x)[kTile],
                                              typename V::Reg (&y)[kTile]) {
  if constexpr (kTile == 2) {
    y[0] = V::zip_low(x[0], x[1]);
    y[1] = V::zip_high(x[0], x[1]);
  } else {
    const auto even_low = V::zip_low(x[0], x[2]), even_high = V::zip_high(x[0], x[2]);
    const auto odd_low = V::zip_low(x[1], x[3]), odd_high = V::zip_high(x[1], x[3]);
    y[0] = V::zip_low(even_low, odd_low);
    y[1] = V::zip_high(even_low, odd_low);
    y[2] = V::zip_low(even_high, odd_high);
    y[3] = V::zip_high(even_high, odd_high);
  }
}

/// The outputs of a row of tiles at one of their rows, put together and finished.
template <typename V, int kTile>
void winograd_output_row(const WinogradOutputF32& call, const float* from, size_t plane, size_t y) {
  using Reg = typename V::Reg;
  constexpr size_t kLanes = V::kLanes;
  const Reg bias = V::set1(call.bias), low = V::set1(call.low), high = V::set1(call.high);
  for (size_t t = 0; t < call.tiles; t += kLanes) {
    Reg x[kTile], row[kTile];
#pragma GCC unroll 4
    for (int j = 0; j < kTile; ++j) x[j] = V::load(from + static_cast<size_t>(j) * plane + t);
    interleave<V, kTile>(x, row);
#pragma GCC unroll 4
    for (int q = 0; q < kTile; ++q) {
      const size_t column = t * kTile + static_cast<size_t>(q) * kLanes;
      if (column >= call.width) break;
      const size_t at = y * call.width + column;
      const auto rest = static_cast<ptrdiff_t>(call.width - column);
      Reg value = V::add(row[q], bias);
      if (call.addend != nullptr) value = V::add(value, V::load(call.addend + at, V::lanes(0, rest)));
      V::store_first(call.y + at, rest, V::min(high, V::max(low, value)));
    }
  }
}

template <typename V, int kTile>
void winograd_output_tiles(const WinogradOutputF32& call) {
  using Reg = typename V::Reg;
  constexpr int kSize = kTile + 2;
  const size_t rows = call.last_row - call.first_row, all = rows * call.tiles;
  const size_t plane = all + kWinogradSpare;
  float* planes = call.scratch;  // [kTile: row within a tile][kTile: column][row of tiles][tile]
  for (size_t t = 0; t < all; t += V::kLanes) {
    alignas(64) Reg columns[kTile][kSize];  // of m A, transposed
#pragma GCC unroll 8
    for (int i = 0; i < kSize; ++i) {
      Reg m[kSize], r[kTile];
#pragma GCC unroll 8
      for (int j = 0; j < kSize; ++j)
        m[j] = V::load(call.m + static_cast<size_t>(i * kSize + j) * call.m_stride + t);
      Winograd<V, kTile>::output(m, r);
#pragma GCC unroll 4
      for (int j = 0; j < kTile; ++j) columns[j][i] = r[j];
    }
    for (int j = 0; j < kTile; ++j) {
      Reg r[kTile];
      Winograd<V, kTile>::output(columns[j], r);
#pragma GCC unroll 4
      for (int i = 0; i < kTile; ++i) V::store(planes + static_cast<size_t>(i * kTile + j) * plane + t, r[i]);
    }
  }
  for (size_t row = 0; row < rows; ++row)
    for (size_t i = 0; i < kTile; ++i) {
      const size_t y = (call.first_row + row) * kTile + i;
      if (y >= call.height) return;
      winograd_output_row<V, kTile>(call, planes + i * kTile * plane + row * call.tiles, plane, y);
    }
}

template <typename V>
void winograd_input(const WinogradInputF32& call) noexcept {
  call.tile == 2 ? winograd_input_tiles<V, 2>(call) : winograd_input_tiles<V, 4>(call);
}
template <typename V>
void winograd_output(const WinogradOutputF32& call) noexcept {
  call.tile == 2 ? winograd_output_tiles<V, 2>(call) : winograd_output_tiles<V, 4>(call);
}

}  // namespace quantize::simd
