// The step: a function of reals, and codes of it.
#include "core/integer/fused_function.h"

#include <algorithm>

#include "core/integer/codes.h"
#include "core/ops/support/require.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

enum : size_t { kX = 0, kScale = 1, kZeroPoint = 2 };

bool makes_codes(const Node& node) {
  return node.input(kScale) != kNoValue;
}

void infer(InferContext& context) {
  require_f32(context);
  const DataType dtype = makes_codes(context.node) ? context.input(kZeroPoint).dtype : DataType::kF32;
  context.set_output(0, dtype, context.shape(kX));
}

/// Reals and codes meet in the first-level cache.
void evaluate_codes(const EvaluateContext& context, Function function, float alpha) {
  constexpr size_t kBlock = 1024;
  float reals[kBlock];
  const ScalarParams y_params = scalar_operand(context, kScale);
  const float* x = context.inputs[kX].as<float>();
  const auto size = static_cast<size_t>(context.inputs[kX].size());
  for (size_t i = 0; i < size; i += kBlock) {
    const size_t n = std::min(kBlock, size - i);
    context.kernels.function_f32(function, alpha, x + i, reals, n);
    if (context.outputs[0].dtype == DataType::kU8)
      context.kernels.quantize_f32_u8(reals, n, y_params.scale, y_params.zero_point,
                                      context.outputs[0].as<uint8_t>() + i);
    else
      context.kernels.quantize_f32_s8(reals, n, y_params.scale, y_params.zero_point,
                                      context.outputs[0].as<int8_t>() + i);
  }
}

void evaluate(const EvaluateContext& context) {
  const auto function = static_cast<Function>(context.node.int_attribute("function", 0));
  const float alpha = context.node.float_attribute("alpha", 0);
  if (makes_codes(context.node)) return evaluate_codes(context, function, alpha);
  const auto kernel = context.node.int_attribute("short", 0) != 0 ? context.kernels.activation_f32
                                                                  : context.kernels.function_f32;
  kernel(function, alpha, context.inputs[kX].as<float>(), context.outputs[0].as<float>(),
         static_cast<size_t>(context.inputs[kX].size()));
}

}  // namespace

Node fused_function(ValueId x, Function function, float alpha) {
  Node node;
  node.op_type = "FusedFunction";
  node.domain = kEngineDomain;
  node.inputs = {x};
  node.attributes["function"] = static_cast<int64_t>(function);
  node.attributes["alpha"] = alpha;
  return node;
}

void add_fused_function(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "FusedFunction",
                 .domain = kEngineDomain,
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 1,
                 .max_inputs = 3,
                 .infer = infer,
                 .evaluate = evaluate,
                 .elementwise = true});
}

}  // namespace quantize
