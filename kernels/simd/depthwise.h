// depthwise_f32 for any vector type V: a vector of neighbouring outputs at a time, borders by masks. Start at
// depthwise(): 3 x 3 and 5 x 5 kernels with strides 1 and 2 go by tiles, the rest tap by tap.
#pragma once

#include <cstddef>

#include "kernels/kernel_table.h"

namespace quantize::simd {

/// The columns that a vector of outputs reads: where the first tap stands, and which lanes of each load are inside the
/// image. The same for all rows.
template <typename V, int kSize, int kStride>
struct TapColumns {
  TapColumns(ptrdiff_t first_column, ptrdiff_t width) : first(first_column) {
    for (int load = 0; load < kLoads; ++load)
      for (int half = 0; half < kStride; ++half) {
        const ptrdiff_t at = first + load * kStride + half * static_cast<ptrdiff_t>(V::kLanes);
        mask[load][half] = V::lanes(-at, width - at);
      }
    inside = first >= 0 && first + kReach <= width;
  }

  // Neighbouring taps of stride 2 share their loads, of two vectors each.
  static constexpr int kLoads = (kSize + kStride - 1) / kStride;
  static constexpr ptrdiff_t kReach = kStride * static_cast<ptrdiff_t>(V::kLanes) + (kLoads - 1) * kStride;
  ptrdiff_t first;
  typename V::Mask mask[kLoads][kStride];
  bool inside;
};

/// Fills x with the inputs of the kSize taps of a row, for every lane. If not kInside, what lies outside the image is
/// read as 0. With stride 2 the lanes are in the order of V::evens().
template <typename V, int kSize, int kStride, bool kInside>
[[gnu::always_inline]] inline void load_taps(const float* row, const TapColumns<V, kSize, kStride>& columns,
                                             typename V::Reg (&x)[kSize]) {
  const auto load = [&](int tap, int half) __attribute__((always_inline)) {
    const float* from = row + columns.first + tap + half * static_cast<ptrdiff_t>(V::kLanes);
    if constexpr (kInside) return V::load(from);
    return V::load(from, columns.mask[tap / kStride][half]);
  };
#pragma GCC unroll 8
  for (int tap = 0; tap < kSize; tap += kStride) {
    if constexpr (kStride == 1) {
      x[tap] = load(tap, 0);
    } else {
      const auto low = load(tap, 0), high = load(tap, 1);
      x[tap] = V::evens(low, high);
      if (tap + 1 < kSize) x[tap + 1] = V::odds(low, high);
    }
  }
}

/// kRows rows by one vector of outputs from (i, j) on: every input row is loaded once. If not kAllRows, some of the rows
/// are outside the image.
template <typename V, int kSize, int kStrideH, int kStrideW, int kRows, bool kInside, bool kAllRows>
[[gnu::always_inline]] inline void depthwise_tile(const DepthwiseF32& d, ptrdiff_t i, ptrdiff_t j,
                                                  const typename V::Reg (&w)[kSize][kSize],
                                                  const TapColumns<V, kSize, kStrideW>& columns) {
  constexpr int kInputRows = (kRows - 1) * kStrideH + kSize;
  const auto height = static_cast<ptrdiff_t>(d.height), width = static_cast<ptrdiff_t>(d.width);
  const ptrdiff_t top = i * kStrideH - static_cast<ptrdiff_t>(d.pad_top);
  typename V::Reg sum[kRows];
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) sum[t] = V::set1(0.0f);
#pragma GCC unroll 16
  for (int r = 0; r < kInputRows; ++r) {
    if (!kAllRows && (top + r < 0 || top + r >= height)) continue;
    typename V::Reg x[kSize];
    load_taps<V, kSize, kStrideW, kInside>(d.x + (top + r) * width, columns, x);
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) {
      const int ky = r - t * kStrideH;
      if (ky < 0 || ky >= kSize) continue;
#pragma GCC unroll 8
      for (int kx = 0; kx < kSize; ++kx) sum[t] = V::fma(x[kx], w[ky][kx], sum[t]);
    }
  }
  // Lanes beyond the end of a row are written, too, where the next row is still to be written.
  const auto out_width = static_cast<ptrdiff_t>(d.out_width);
  ptrdiff_t room = (static_cast<ptrdiff_t>(d.out_height) - i) * out_width - j;
  float* y = d.y + i * out_width + j;
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t, y += out_width, room -= out_width) {
    if (!kAllRows && room <= 0) break;
    const auto ordered = kStrideW == 1 ? sum[t] : V::in_order(sum[t]);
    const auto result = V::min(V::set1(d.high), V::max(V::set1(d.low), V::add(ordered, V::set1(d.bias))));
    if (room >= static_cast<ptrdiff_t>(V::kLanes))
      V::store(y, result);
    else
      V::store_first(y, out_width - j, result);
  }
}

/// All rows of one vector of columns, from j on.
template <typename V, int kSize, int kStrideH, int kStrideW, bool kInside>
void depthwise_column(const DepthwiseF32& d, ptrdiff_t j, const typename V::Reg (&w)[kSize][kSize],
                      const TapColumns<V, kSize, kStrideW>& columns) {
  constexpr int kRows = V::kTileRows;
  constexpr ptrdiff_t kInputRows = (kRows - 1) * kStrideH + kSize;
  const auto height = static_cast<ptrdiff_t>(d.height), rows = static_cast<ptrdiff_t>(d.out_height);
  for (ptrdiff_t i = 0; i < rows; i += kRows) {
    const ptrdiff_t top = i * kStrideH - static_cast<ptrdiff_t>(d.pad_top);
    if (i + kRows <= rows && top >= 0 && top + kInputRows <= height)
      depthwise_tile<V, kSize, kStrideH, kStrideW, kRows, kInside, true>(d, i, j, w, columns);
    else
      depthwise_tile<V, kSize, kStrideH, kStrideW, kRows, kInside, false>(d, i, j, w, columns);
  }
}

/// Vector by vector of columns; the last one ends where the rows end, and computes some columns again.
template <typename V, int kSize, int kStrideH, int kStrideW>
void depthwise_tiles(const DepthwiseF32& d) {
  typename V::Reg w[kSize][kSize];
#pragma GCC unroll 8
  for (int ky = 0; ky < kSize; ++ky)
#pragma GCC unroll 8
    for (int kx = 0; kx < kSize; ++kx) w[ky][kx] = V::set1(d.w[ky * kSize + kx]);
  constexpr auto kLanes = static_cast<ptrdiff_t>(V::kLanes);
  const auto width = static_cast<ptrdiff_t>(d.out_width), last = width < kLanes ? 0 : width - kLanes;
  for (ptrdiff_t next = 0; next < width; next += kLanes) {
    const ptrdiff_t j = next < last ? next : last;
    const TapColumns<V, kSize, kStrideW> columns(j * kStrideW - static_cast<ptrdiff_t>(d.pad_left),
                                                 static_cast<ptrdiff_t>(d.width));
    if (columns.inside)
      depthwise_column<V, kSize, kStrideH, kStrideW, true>(d, j, w, columns);
    else
      depthwise_column<V, kSize, kStrideH, kStrideW, false>(d, j, w, columns);
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
