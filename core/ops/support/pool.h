// MaxPool and AveragePool alike: a reduction over windows, done first down the columns, then along the row.
#pragma once

#include <algorithm>
#include <vector>

#include "core/ops/op.h"
#include "core/ops/support/window.h"

namespace quantize {

/// y[o] = reduction of all taps of window o that lie inside the channel; `start` where there are none.
///
/// The rows of a window are reduced to one first, of which neighbouring outputs then share the elements: a
/// window of a x b costs a + b steps per output, not a * b, and both loops run over neighbouring elements.
/// Requires: combine is associative and commutative, start its neutral element; `row` holds width().in
/// elements.
template <typename T, typename Combine>
void pool_channel(const Window& window, const T* x, T* y, T* row, T start, Combine combine) {
  const WindowAxis &d = window.depth(), &h = window.height(), &w = window.width();
  for (int64_t od = 0; od < d.out; ++od)
    for (int64_t oh = 0; oh < h.out; ++oh, y += w.out) {
      std::fill_n(row, w.in, start);
      for (int64_t kd = d.first_tap(od); kd < d.last_tap(od); ++kd)
        for (int64_t kh = h.first_tap(oh); kh < h.last_tap(oh); ++kh) {
          const int64_t in_row = (d.start(od) + kd * d.dilation) * h.in + h.start(oh) + kh * h.dilation;
          for (int64_t i = 0; i < w.in; ++i) row[i] = combine(row[i], x[in_row * w.in + i]);
        }
      std::fill_n(y, w.out, start);
      with_constant_stride(w.stride, [&](auto stride) {
        for (int64_t kw = w.first_tap(w.out - 1); kw < w.last_tap(0); ++kw) {
          const auto [first, last] = w.outputs_of(kw);
          const T* tap = row + kw * w.dilation - w.pad_begin;
          for (int64_t o = first; o < last; ++o) y[o] = combine(y[o], tap[o * stride]);
        }
      });
    }
}

/// Turns the sums of all windows of one channel into averages. Padding counts in the divisor if
/// `include_padding`.
void divide_by_counts(const Window& window, bool include_padding, float* y);

}  // namespace quantize
