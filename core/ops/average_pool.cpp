// AveragePool. Padding counts in the divisor if count_include_pad is set; what ceil_mode adds behind it never
// does.
#include <algorithm>

#include "core/error.h"
#include "core/ops/require.h"
#include "core/ops/window.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  require_f32(context);
  const auto x = context.shape(0);
  if (!x) return context.set_output(0, context.input(0).dtype, std::nullopt);
  const Window window = pool_window(context.node, *x);
  context.set_output(0, context.input(0).dtype, window.output_shape((*x)[0], (*x)[1]));
}

/// Taps of output `o` that the divisor counts.
int64_t counted_taps(const WindowAxis& axis, int64_t o, bool include_padding) {
  if (!include_padding) return axis.last_tap(o) - axis.first_tap(o);
  const int64_t room = axis.in + axis.pad_end - axis.start(o);
  return std::min(axis.kernel, (room + axis.dilation - 1) / axis.dilation);
}

float average(const Window& window, bool include_padding, const float* x, const int64_t (&o)[3]) {
  const auto& [d, h, v] = window.axes;
  float sum = 0;
  for (int64_t kd = d.first_tap(o[0]); kd < d.last_tap(o[0]); ++kd)
    for (int64_t kh = h.first_tap(o[1]); kh < h.last_tap(o[1]); ++kh) {
      const int64_t row = (d.start(o[0]) + kd * d.dilation) * h.in + h.start(o[1]) + kh * h.dilation;
      for (int64_t kw = v.first_tap(o[2]); kw < v.last_tap(o[2]); ++kw)
        sum += x[row * v.in + v.start(o[2]) + kw * v.dilation];
    }
  const int64_t count = counted_taps(d, o[0], include_padding) * counted_taps(h, o[1], include_padding) *
                        counted_taps(v, o[2], include_padding);
  return count > 0 ? sum / static_cast<float>(count) : 0.0f;
}

void evaluate(const EvaluateContext& context) {
  const TensorView x = context.inputs[0];
  const Window window = pool_window(context.node, x.shape);
  const bool include_padding = context.node.int_attribute("count_include_pad", 0) != 0;
  const float* image = x.as<float>();
  float* y = context.outputs[0].as<float>();
  for (int64_t c = 0; c < x.shape[0] * x.shape[1]; ++c, image += window.in_size())
    for (int64_t od = 0; od < window.depth().out; ++od)
      for (int64_t oh = 0; oh < window.height().out; ++oh)
        for (int64_t ow = 0; ow < window.width().out; ++ow)
          *y++ = average(window, include_padding, image, {od, oh, ow});
}

}  // namespace

void add_average_pool(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "AveragePool",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = 21,
                 .infer = infer,
                 .evaluate = evaluate,
                 .quantization = QuantizationRule::kArithmetic});
}

}  // namespace quantize
