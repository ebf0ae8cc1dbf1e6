// depthwise_f32 for any vector type V: a vector of neighbouring outputs at a time, borders by masks. Start at
// depthwise(): 3 x 3 and 5 x 5 kernels with strides 1 and 2 go by tiles, the rest tap by tap.
#pragma once

#include <cstddef>

#include "kernels/kernel_table.h"

namespace quantize::simd {

/// Fills x with the inputs of the kSize taps of a row, for every lane. Neighbouring taps of stride 2 share
/// their loads. If not kInside, what lies outside [0, width) is read as 0.
template <typename V, int kSize, int kStride, bool kInside>
[[gnu::always_inline]] inline void load_taps(const float* row, ptrdiff_t column, ptrdiff_t width,
                                             typename V::Reg (&x)[kSize]) {
  const auto load = [&](ptrdiff_t at) {
    if constexpr (kInside) return V::load(row + at);
    return V::load(row + at, V::lanes(-at, width - at));
  };
#pragma GCC unroll 8
  for (int tap = 0; tap < kSize; tap += kStride) {
    if constexpr (kStride == 1) {
      x[tap] = load(column + tap);
    } else {
      const auto low = load(column + tap), high = load(column + tap + static_cast<ptrdiff_t>(V::kLanes));
      x[tap] = V::even(low, high);
      if (tap + 1 < kSize) x[tap + 1] = V::odd(low, high);
    }
  }
}

/// V::kTileRows rows by one vector of outputs from (i, j) on: every input row is loaded once.
template <typename V, int kSize, int kStrideH, int kStrideW, bool kInside>
[[gnu::always_inline]] inline void depthwise_tile(const DepthwiseF32& d, ptrdiff_t i, ptrdiff_t j,
                                                  const typename V::Reg (&w)[kSize][kSize]) {
  constexpr int kTileRows = V::kTileRows, kInputRows = (kTileRows - 1) * kStrideH + kSize;
  const auto height = static_cast<ptrdiff_t>(d.height), width = static_cast<ptrdiff_t>(d.width);
  const ptrdiff_t top = i * kStrideH - static_cast<ptrdiff_t>(d.pad_top);
  const ptrdiff_t column = j * kStrideW - static_cast<ptrdiff_t>(d.pad_left);
  typename V::Reg sum[kTileRows];
#pragma GCC unroll 4
  for (int t = 0; t < kTileRows; ++t) sum[t] = V::set1(0.0f);
#pragma GCC unroll 16
  for (int r = 0; r < kInputRows; ++r) {
    if (!kInside && (top + r < 0 || top + r >= height)) continue;
    typename V::Reg x[kSize];
    load_taps<V, kSize, kStrideW, kInside>(d.x + (top + r) * width, column, width, x);
#pragma GCC unroll 4
    for (int t = 0; t < kTileRows; ++t) {
      const int ky = r - t * kStrideH;
      if (ky < 0 || ky >= kSize) continue;
#pragma GCC unroll 8
      for (int kx = 0; kx < kSize; ++kx) sum[t] = V::fma(x[kx], w[ky][kx], sum[t]);
    }
  }
  const auto out_width = static_cast<ptrdiff_t>(d.out_width);
  const auto rows = static_cast<ptrdiff_t>(d.out_height) - i;
#pragma GCC unroll 4
  for (int t = 0; t < kTileRows; ++t)
    if (t < rows)
      V::store_first(d.y + (i + t) * out_width + j, out_width - j,
                     V::min(V::set1(d.high), V::max(V::set1(d.low), V::add(sum[t], V::set1(d.bias)))));
}

template <typename V, int kSize, int kStrideH, int kStrideW>
void depthwise_tiles(const DepthwiseF32& d) {
  typename V::Reg w[kSize][kSize];
#pragma GCC unroll 8
  for (int ky = 0; ky < kSize; ++ky)
#pragma GCC unroll 8
    for (int kx = 0; kx < kSize; ++kx) w[ky][kx] = V::set1(d.w[ky * kSize + kx]);
  // How much of the image a tile reads.
  constexpr ptrdiff_t kTileRows = V::kTileRows, kLanes = V::kLanes,
                      kRows = (kTileRows - 1) * kStrideH + kSize;
  constexpr ptrdiff_t kColumns = kStrideW * kLanes + (kSize - 1) / kStrideW * kStrideW;
  const auto rows = static_cast<ptrdiff_t>(d.out_height), columns = static_cast<ptrdiff_t>(d.out_width);
  for (ptrdiff_t i = 0; i < rows; i += kTileRows) {
    const ptrdiff_t top = i * kStrideH - static_cast<ptrdiff_t>(d.pad_top);
    const bool inside = top >= 0 && top + kRows <= static_cast<ptrdiff_t>(d.height);
    for (ptrdiff_t j = 0; j < columns; j += kLanes) {
      const ptrdiff_t left = j * kStrideW - static_cast<ptrdiff_t>(d.pad_left);
      if (inside && left >= 0 && left + kColumns <= static_cast<ptrdiff_t>(d.width))
        depthwise_tile<V, kSize, kStrideH, kStrideW, true>(d, i, j, w);
      else
        depthwise_tile<V, kSize, kStrideH, kStrideW, false>(d, i, j, w);
    }
  }
}

/// Any kernel, stride and dilation: one output vector, tap by tap.
template <typename V>
void depthwise_any(const DepthwiseF32& d) {
  const auto width = static_cast<ptrdiff_t>(d.width), stride = static_cast<ptrdiff_t>(d.stride_w);
  for (size_t i = 0; i < d.out_height; ++i)
    for (size_t j = 0; j < d.out_width; j += V::kLanes) {
      typename V::Reg sum = V::set1(0.0f);
      for (size_t ky = 0; ky < d.kernel_h; ++ky) {
        const size_t y =
            i * d.stride_h + ky * d.dilation_h - d.pad_top;  // wraps above the image: then >= height
        if (y >= d.height) continue;
        for (size_t kx = 0; kx < d.kernel_w; ++kx) {
          const auto column = static_cast<ptrdiff_t>(j * d.stride_w + kx * d.dilation_w - d.pad_left);
          const auto lanes_below = [&](ptrdiff_t limit) {
            return limit <= column ? 0 : (limit - column + stride - 1) / stride;
          };
          const auto lanes = V::lanes(lanes_below(0), lanes_below(width));
          const float* x = d.x + static_cast<ptrdiff_t>(y) * width + column;
          const auto values = stride == 1 ? V::load(x, lanes) : V::gather(x, d.stride_w, lanes);
          sum = V::fma(V::set1(d.w[ky * d.kernel_w + kx]), values, sum);
        }
      }
      V::store_first(d.y + i * d.out_width + j, static_cast<ptrdiff_t>(d.out_width - j),
                     V::min(V::set1(d.high), V::max(V::set1(d.low), V::add(sum, V::set1(d.bias)))));
    }
}

template <typename V, int kSize>
void choose_strides(const DepthwiseF32& d) {
  if (d.stride_h == 1 && d.stride_w == 1) return depthwise_tiles<V, kSize, 1, 1>(d);
  if (d.stride_h == 2 && d.stride_w == 2) return depthwise_tiles<V, kSize, 2, 2>(d);
  if (d.stride_h == 2 && d.stride_w == 1) return depthwise_tiles<V, kSize, 2, 1>(d);
  if (d.stride_h == 1 && d.stride_w == 2) return depthwise_tiles<V, kSize, 1, 2>(d);
  depthwise_any<V>(d);
}

template <typename V>
void depthwise(const DepthwiseF32& d) noexcept {
  const bool square = d.kernel_h == d.kernel_w && d.dilation_h == 1 && d.dilation_w == 1;
  if (square && d.kernel_h == 3) return choose_strides<V, 3>(d);
  if (square && d.kernel_h == 5) return choose_strides<V, 5>(d);
  depthwise_any<V>(d);
}

}  // namespace quantize::simd
