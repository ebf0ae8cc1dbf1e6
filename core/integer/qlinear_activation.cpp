// QLinearSigmoid and QLinearLeakyRelu of ONNX Runtime: a function of each code. The engine makes tables of
// them. Source: onnxruntime ContribOperators, com.microsoft.
#include <array>
#include <cmath>

#include "core/integer/codes.h"
#include "core/quant_params.h"

namespace quantize {

namespace {

enum : size_t { kX = 0, kYScale = 3 };

void infer(InferContext& context) {
  require_codes(context, kX);
  context.set_output(0, code_type(context, kYScale, kX), context.shape(kX));
}

/// Applies `function` to the 256 reals that a code can be.
template <typename Function>
void evaluate_function(const EvaluateContext& context, Function function) {
  const ScalarParams x = scalar_operand(context, kX + 1), y = scalar_operand(context, kYScale);
  const CodeLimits from = code_limits(context.inputs[kX].dtype), to = code_limits(context.outputs[0].dtype);
  std::array<uint8_t, 256> table;
  for (int32_t code = from.low; code <= from.high; ++code)
    table[static_cast<uint8_t>(code)] = static_cast<uint8_t>(quantize_value(
        function(dequantize_value(code, x.scale, x.zero_point)), y.scale, y.zero_point, to.low, to.high));
  const auto* codes = static_cast<const uint8_t*>(context.inputs[kX].data);
  auto* results = static_cast<uint8_t*>(context.outputs[0].data);
  for (int64_t i = 0; i < context.outputs[0].size(); ++i) results[i] = table[codes[i]];
}

void evaluate_sigmoid(const EvaluateContext& context) {
  evaluate_function(context, [](float x) { return 1.0f / (1.0f + std::exp(-x)); });
}

void evaluate_leaky_relu(const EvaluateContext& context) {
  const float alpha = context.node.float_attribute("alpha", 0.01f);
  evaluate_function(context, [alpha](float x) { return x < 0 ? alpha * x : x; });
}

OpDef activation(const char* op_type, void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "com.microsoft",
          .min_opset = 1,
          .max_opset = 1,
          .min_inputs = 4,
          .max_inputs = 5,
          .infer = infer,
          .evaluate = evaluate,
          .elementwise = true,
          .slots = {{operand_at(0)}, 3}};
}

}  // namespace

void add_qlinear_activation(std::vector<OpDef>& ops) {
  ops.push_back(activation("QLinearSigmoid", evaluate_sigmoid));
  ops.push_back(activation("QLinearLeakyRelu", evaluate_leaky_relu));
}

}  // namespace quantize
