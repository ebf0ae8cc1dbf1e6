// GlobalAveragePool and GlobalMaxPool: one number per channel.
#include <algorithm>

#include "core/ops/support/lanes.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  require_f32(context);
  auto shape = context.shape(0);
  if (shape) {
    require(shape->size() >= 2, "the input has shape " + to_string(*shape) + ", but must be at least N x C");
    std::fill(shape->begin() + 2, shape->end(), 1);
  }
  context.set_output(0, context.input(0).dtype, shape);
}

template <typename Channel>
void each_channel(const EvaluateContext& context, Channel channel) {
  const TensorView x = context.inputs[0];
  const int64_t channels = context.outputs[0].size();
  const int64_t size = element_count(x.shape.subspan(2));
  float* y = context.outputs[0].as<float>();
  for (int64_t c = 0; c < channels; ++c) y[c] = channel(x.as<float>() + c * size, size);
}

void evaluate_average(const EvaluateContext& context) {
  each_channel(context,
               [](const float* x, int64_t size) { return sum_lanes(x, size) / static_cast<float>(size); });
}

void evaluate_max(const EvaluateContext& context) {
  each_channel(context, max_lanes);
}

}  // namespace

void add_global_pool(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "GlobalAveragePool",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = kNewestOpset,
                 .infer = infer,
                 .evaluate = evaluate_average,
                 .scales_by_channel = true});
  ops.push_back({.op_type = "GlobalMaxPool",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = kNewestOpset,
                 .infer = infer,
                 .evaluate = evaluate_max,
                 .selects = true,
                 .scales_by_channel = true});
}

}  // namespace quantize
