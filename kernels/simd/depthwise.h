// depthwise_f32 for any vector type V: a vector of neighbouring outputs at a time, borders by masks.
#pragma once

#include <cstddef>

#include "kernels/kernel_table.h"

namespace quantize::simd {

/// x[column], x[column + stride], ...: one element per lane, 0 where that is outside [0, width).
/// kStride: 1 or 2, or 0 for any.
template <typename V, int kStride>
[[gnu::always_inline]] inline typename V::Reg load_columns(const float* x, ptrdiff_t column, ptrdiff_t stride,
                                                           ptrdiff_t width) {
  constexpr ptrdiff_t kLanes = V::kLanes;
  const float* p = x + column;
  if constexpr (kStride == 1) {
    if (column >= 0 && column + kLanes <= width) return V::load(p);
    return V::load(p, V::lanes(-column, width - column));
  } else if constexpr (kStride == 2) {
    if (column >= 0 && column + 2 * kLanes <= width) return V::even(V::load(p), V::load(p + kLanes));
    return V::even(V::load(p, V::lanes(-column, width - column)),
                   V::load(p + kLanes, V::lanes(-column - kLanes, width - column - kLanes)));
  } else {
    const auto lanes_below = [&](ptrdiff_t limit) {
      return limit <= column ? 0 : (limit - column + stride - 1) / stride;
    };
    return V::gather(p, static_cast<size_t>(stride), V::lanes(lanes_below(0), lanes_below(width)));
  }
}

template <typename V, int kStride>
void depthwise_rows(const DepthwiseF32& d) {
  const auto width = static_cast<ptrdiff_t>(d.width), stride = static_cast<ptrdiff_t>(d.stride_w);
  const typename V::Reg bias = V::set1(d.bias), low = V::set1(d.low), high = V::set1(d.high);
  for (size_t i = 0; i < d.out_height; ++i)
    for (size_t j = 0; j < d.out_width; j += V::kLanes) {
      typename V::Reg sum = bias;
      for (size_t ky = 0; ky < d.kernel_h; ++ky) {
        const size_t y =
            i * d.stride_h + ky * d.dilation_h - d.pad_top;  // wraps above the image: then >= height
        if (y >= d.height) continue;
        auto column = static_cast<ptrdiff_t>(j * d.stride_w - d.pad_left);
        for (size_t kx = 0; kx < d.kernel_w; ++kx, column += static_cast<ptrdiff_t>(d.dilation_w))
          sum = V::fma(V::set1(d.w[ky * d.kernel_w + kx]),
                       load_columns<V, kStride>(d.x + y * d.width, column, stride, width), sum);
      }
      const auto left = static_cast<ptrdiff_t>(d.out_width - j);
      V::store(d.y + i * d.out_width + j, V::lanes(0, left), V::min(high, V::max(low, sum)));
    }
}

template <typename V>
void depthwise(const DepthwiseF32& d) noexcept {
  if (d.stride_w == 1) return depthwise_rows<V, 1>(d);
  if (d.stride_w == 2) return depthwise_rows<V, 2>(d);
  depthwise_rows<V, 0>(d);
}

}  // namespace quantize::simd
