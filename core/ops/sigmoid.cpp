// Sigmoid: 1 / (1 + exp(-x)).
#include "core/ops/support/require.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  require_f32(context);
  context.set_output(0, context.input(0).dtype, context.shape(0));
}

void evaluate(const EvaluateContext& context) {
  context.kernels.sigmoid_f32(context.inputs[0].as<float>(), context.outputs[0].as<float>(),
                              static_cast<size_t>(context.inputs[0].size()));
}

}  // namespace

void add_sigmoid(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Sigmoid",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = kNewestOpset,
                 .infer = infer,
                 .evaluate = evaluate,
                 .elementwise = true});
}

}  // namespace quantize
