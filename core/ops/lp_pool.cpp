// LpPool and GlobalLpPool: the p-norm of the elements under a window, or of a whole channel.
#include <algorithm>
#include <cmath>

#include "core/ops/support/pool.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

float order_of(const Node& node) {
  const int64_t p = node.int_attribute("p", 2);
  require(p >= 1, "the order of the norm is " + std::to_string(p) + ", but must be at least 1");
  return static_cast<float>(p);
}

void infer_pool(InferContext& context) {
  require_f32(context);
  order_of(context.node);
  const auto x = context.shape(0);
  if (!x) return context.set_output(0, context.input(0).dtype, std::nullopt);
  context.set_output(0, context.input(0).dtype, pool_window(context.node, *x).output_shape((*x)[0], (*x)[1]));
}

void infer_global(InferContext& context) {
  require_f32(context);
  order_of(context.node);
  auto shape = context.shape(0);
  if (shape) {
    require(shape->size() >= 2, "the input has shape " + to_string(*shape) + ", but must be at least N x C");
    std::fill(shape->begin() + 2, shape->end(), 1);
  }
  context.set_output(0, context.input(0).dtype, shape);
}

std::vector<float> powers(const float* x, int64_t count, float p) {
  std::vector<float> result(static_cast<size_t>(count));
  std::transform(x, x + count, result.begin(), [p](float value) { return std::pow(std::abs(value), p); });
  return result;
}

void evaluate_pool(const EvaluateContext& context) {
  const TensorView x = context.inputs[0];
  const Window window = pool_window(context.node, x.shape);
  const float p = order_of(context.node);
  std::vector<float> row(static_cast<size_t>(window.width().in));
  float* y = context.outputs[0].as<float>();
  for (int64_t c = 0; c < x.shape[0] * x.shape[1]; ++c, y += window.out_size()) {
    const std::vector<float> image = powers(x.as<float>() + c * window.in_size(), window.in_size(), p);
    pool_channel(window, image.data(), y, row.data(), 0.0f, [](float a, float b) { return a + b; });
    std::transform(y, y + window.out_size(), y, [p](float sum) { return std::pow(sum, 1 / p); });
  }
}

void evaluate_global(const EvaluateContext& context) {
  const TensorView x = context.inputs[0];
  const float p = order_of(context.node);
  const int64_t size = element_count(x.shape.subspan(2));
  for (int64_t c = 0; c < context.outputs[0].size(); ++c) {
    double sum = 0;
    for (const float power : powers(x.as<float>() + c * size, size, p)) sum += static_cast<double>(power);
    context.outputs[0].as<float>()[c] = static_cast<float>(std::pow(sum, 1 / static_cast<double>(p)));
  }
}

}  // namespace

void add_lp_pool(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "GlobalLpPool",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .infer = infer_global,
                 .evaluate = evaluate_global});
  ops.push_back({.op_type = "LpPool",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .infer = infer_pool,
                 .evaluate = evaluate_pool});
}

}  // namespace quantize
