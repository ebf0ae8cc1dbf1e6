// The common part of Conv and its integer forms.
#pragma once

#include "core/ops/op.h"
#include "core/ops/support/window.h"

namespace quantize {

/// The output's shape. Errors: Error(kInvalidModel) for operands that do not fit.
Shape conv_output_shape(const Node& node, Dims x, Dims w, const std::optional<Shape>& bias);

/// One output element: the sum over the taps of its window that lie inside the image, of `channels` channels.
template <typename Sum, typename T>
Sum convolve_window(const Window& window, const T* x, const T* w, int64_t channels, const int64_t (&o)[3]) {
  const auto& [d, h, v] = window.axes;
  Sum sum = 0;
  for (int64_t c = 0; c < channels; ++c, x += window.in_size(), w += window.kernel_size())
    for (int64_t kd = d.first_tap(o[0]); kd < d.last_tap(o[0]); ++kd)
      for (int64_t kh = h.first_tap(o[1]); kh < h.last_tap(o[1]); ++kh)
        for (int64_t kw = v.first_tap(o[2]); kw < v.last_tap(o[2]); ++kw) {
          const int64_t in_row = (d.start(o[0]) + kd * d.dilation) * h.in + h.start(o[1]) + kh * h.dilation;
          sum += static_cast<Sum>(w[(kd * h.kernel + kh) * v.kernel + kw]) *
                 static_cast<Sum>(x[in_row * v.in + v.start(o[2]) + kw * v.dilation]);
        }
  return sum;
}

/// The reference of a convolution: calls finish(sum, output channel) for every output element in order. Sum
/// is float, or int64_t where T are codes.
template <typename Sum, typename T, typename Finish>
void convolve(const Node& node, Dims x_shape, Dims w_shape, const T* x, const T* w, Finish finish) {
  const Window window = conv_window(node, x_shape, w_shape);
  const int64_t group = node.int_attribute("group", 1), outputs = w_shape[0], channels = w_shape[1];
  for (int64_t n = 0; n < x_shape[0]; ++n)
    for (int64_t m = 0; m < outputs; ++m) {
      const T* image = x + (n * x_shape[1] + m / (outputs / group) * channels) * window.in_size();
      const T* weights = w + m * channels * window.kernel_size();
      for (int64_t od = 0; od < window.depth().out; ++od)
        for (int64_t oh = 0; oh < window.height().out; ++oh)
          for (int64_t ow = 0; ow < window.width().out; ++ow)
            finish(convolve_window<Sum>(window, image, weights, channels, {od, oh, ow}), m);
    }
}

/// OpDef::weight_layout of the operator and its integer forms.
std::optional<WeightLayout> conv_weight_layout(const Node& node, Dims shape);

}  // namespace quantize
