// MaxPool and AveragePool alike: a reduction over windows, done first down the columns, then along the row.
#pragma once

#include <algorithm>
#include <vector>

#include "core/ops/window.h"

namespace quantize {

/// y[o] = reduction of all taps of window o that lie inside the channel; `start` where there are none.
///
/// The rows of a window are reduced to one first, of which neighbouring outputs then share the elements: a
/// window of a x b costs a + b steps per output, not a * b, and both loops run over neighbouring elements.
/// Requires: combine is associative and commutative, start its neutral element; `row` holds width().in
/// elements.
template <typename T, typename Combine>
void pool_channel(const Window& window, const T* x, T* y, T* row, T start, Combine combine) {
  const auto& [d, h, w] = window.axes;
  for (int64_t od = 0; od < d.out; ++od)
    for (int64_t oh = 0; oh < h.out; ++oh, y += w.out) {
      std::fill_n(row, w.in, start);
      for (int64_t kd = d.first_tap(od); kd < d.last_tap(od); ++kd)
        for (int64_t kh = h.first_tap(oh); kh < h.last_tap(oh); ++kh) {
          const T* in = x + ((d.start(od) + kd * d.dilation) * h.in + h.start(oh) + kh * h.dilation) * w.in;
          for (int64_t i = 0; i < w.in; ++i) row[i] = combine(row[i], in[i]);
        }
      std::fill_n(y, w.out, start);
      for (int64_t kw = w.first_tap(w.out - 1); kw < w.last_tap(0); ++kw) {
        const int64_t shift = w.pad_begin - kw * w.dilation;  // tap kw of output o is row[o * stride - shift]
        const int64_t first = shift <= 0 ? 0 : std::min(w.out, (shift + w.stride - 1) / w.stride);
        const int64_t last =
            w.in + shift <= 0 ? 0 : std::min(w.out, (w.in + shift + w.stride - 1) / w.stride);
        if (w.stride == 1) {
          for (int64_t o = first; o < last; ++o) y[o] = combine(y[o], row[o - shift]);
        } else {
          for (int64_t o = first; o < last; ++o) y[o] = combine(y[o], row[o * w.stride - shift]);
        }
      }
    }
}

}  // namespace quantize
