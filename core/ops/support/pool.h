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

/// A pool over f32 channels, compiled: the window is decoded, threads share the channels.
struct ChannelPool {
  explicit ChannelPool(CompileContext& context)
      : window(pool_window(context.node, context.shape(0))),
        channels(context.shape(0)[0] * context.shape(0)[1]) {
    const double taps = static_cast<double>(channels * window.out_size()) *
                        static_cast<double>(window.height().kernel + window.width().kernel);
    chunks = context.chunks = context.chunks_for(channels, taps / 2000);
    context.scratch_bytes = static_cast<size_t>(window.width().in) * sizeof(float);
  }

  /// Calls channel(x, y, row) for the channels of one call; `row` holds width().in floats.
  template <typename Channel>
  void run(const EvaluateContext& context, Channel channel) const {
    const UnitRange range = units_of(context, channels, chunks);
    for (int64_t c = range.begin; c < range.end; ++c)
      channel(context.inputs[0].as<float>() + c * window.in_size(),
              context.outputs[0].as<float>() + c * window.out_size(),
              reinterpret_cast<float*>(context.scratch.data()));
  }

  Window window;
  int64_t channels;
  size_t chunks = 1;
};

}  // namespace quantize
