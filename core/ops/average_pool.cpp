// AveragePool. Padding counts in the divisor if count_include_pad is set; what ceil_mode adds behind it never
// does.
#include <algorithm>
#include <memory>

#include "core/ops/support/pool.h"
#include "core/ops/support/require.h"

namespace quantize {

void divide_by_counts(const Window& window, bool include_padding, float* y) {
  const WindowAxis &d = window.axes[0], &h = window.axes[1], &w = window.axes[2];
  const int64_t begin = w.outputs_of(0).first;
  const WindowAxis::Outputs inside{begin,
                                   std::max(begin, w.outputs_of(w.kernel - 1).last)};  // all taps count
  for (int64_t od = 0; od < d.out; ++od)
    for (int64_t oh = 0; oh < h.out; ++oh, y += w.out) {
      const int64_t rows = counted_taps(d, od, include_padding) * counted_taps(h, oh, include_padding);
      const auto divide = [&](int64_t first, int64_t last) {
        for (int64_t ow = first; ow < last; ++ow) {
          const int64_t count = rows * counted_taps(w, ow, include_padding);
          y[ow] = count > 0 ? y[ow] / static_cast<float>(count) : 0.0f;
        }
      };
      divide(0, inside.first);
      const auto count = static_cast<float>(rows * w.kernel);
      for (int64_t ow = inside.first; ow < inside.last; ++ow) y[ow] = rows > 0 ? y[ow] / count : 0.0f;
      divide(inside.last, w.out);
    }
}

namespace {

void infer(InferContext& context) {
  require_f32(context);
  const auto x = context.shape(0);
  if (!x) return context.set_output(0, context.input(0).dtype, std::nullopt);
  const Window window = pool_window(context.node, *x);
  context.set_output(0, context.input(0).dtype, window.output_shape((*x)[0], (*x)[1]));
}

void evaluate(const EvaluateContext& context) {
  const TensorView x = context.inputs[0];
  const Window window = pool_window(context.node, x.shape);
  const bool include_padding = context.node.int_attribute("count_include_pad", 0) != 0;
  std::vector<float> row(static_cast<size_t>(window.width().in));
  const float* image = x.as<float>();
  float* y = context.outputs[0].as<float>();
  for (int64_t c = 0; c < x.shape[0] * x.shape[1]; ++c, image += window.in_size(), y += window.out_size()) {
    pool_channel(window, image, y, row.data(), 0.0f, [](float a, float b) { return a + b; });
    divide_by_counts(window, include_padding, y);
  }
}

}  // namespace

void add_average_pool(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "AveragePool",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = kNewestOpset,
                 .infer = infer,
                 .evaluate = evaluate,
                 .scales_by_channel = true});
}

}  // namespace quantize
