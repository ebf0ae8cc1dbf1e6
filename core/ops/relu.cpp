// Relu: max(x, 0).
#include <algorithm>

#include "core/op.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  context.set_output(0, context.input(0).dtype, context.shape(0));
}

void evaluate(const EvaluateContext& context) {
  const float* x = context.inputs[0].as<float>();
  float* y = context.outputs[0].as<float>();
  const int64_t size = context.inputs[0].size();
  for (int64_t i = 0; i < size; ++i) y[i] = std::max(x[i], 0.0f);
}

}  // namespace

void add_relu(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Relu",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = 21,
                 .infer = infer,
                 .evaluate = evaluate,
                 .quantization = QuantizationRule::kActivation});
}

}  // namespace quantize
