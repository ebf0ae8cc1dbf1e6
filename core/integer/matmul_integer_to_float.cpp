// MatMulIntegerToFloat of ONNX Runtime: a product of codes whose result is real, plus a bias.
// Source: onnxruntime ContribOperators, com.microsoft.MatMulIntegerToFloat.
#include "core/error.h"
#include "core/integer/codes.h"
#include "core/ops/matmul.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

enum : size_t { kA = 0, kB = 1, kAScale = 2, kBScale = 3, kAZero = 4, kBZero = 5, kBias = 6 };

void infer(InferContext& context) {
  constexpr std::array kCodeTypes{DataType::kU8, DataType::kS8};
  for (size_t i : {kA, kB}) {
    require_type(context, i, kCodeTypes);
    require_type(context, i + kAScale, kF32Only);
    if (context.has_input(i + kAZero)) require_same_type(context, i, i + kAZero);
  }
  if (context.has_input(kBias)) require_type(context, kBias, kF32Only);
  const auto a = context.shape(kA), b = context.shape(kB);
  if (!a || !b) return context.set_output(0, DataType::kF32, std::nullopt);
  const Shape y = matmul_operands(*a, *b).output;
  const auto bias = context.shape(kBias);
  if (bias && is_static(*bias) && !y.empty() && y.back() != kUnknownDim && element_count(*bias) != y.back())
    invalid_model("the bias does not have one element per column");
  context.set_output(0, DataType::kF32, y);
}

void evaluate(const EvaluateContext& context) {
  const MatMulOperands shapes = matmul_operands(context.inputs[kA].shape, context.inputs[kB].shape);
  const int64_t n = shapes.b.back();
  const OperandParams a_params = channel_operand(context, kAScale, kAZero, 1),
                      b_params = channel_operand(context, kBScale, kBZero, n);
  const auto a = centred_codes(context.inputs[kA], a_params.zero_point, 1),
             b = centred_codes(context.inputs[kB], b_params.zero_point, 1);
  const TensorView bias = context.input(kBias);
  float* y = context.outputs[0].as<float>();
  for_each_product(shapes, a, b, [&](int64_t sum, int64_t j) {
    const float step = a_params.scale[0] * b_params.scale[b_params.per_tensor() ? 0 : static_cast<size_t>(j)];
    *y++ = static_cast<float>(sum) * step + (bias ? bias.as<float>()[j] : 0.0f);
  });
}

/// With one constant matrix B, the batches of A are more rows of one product.
}  // namespace

void add_matmul_integer_to_float(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "MatMulIntegerToFloat",
                 .domain = "com.microsoft",
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 4,
                 .max_inputs = 7,
                 .infer = infer,
                 .evaluate = evaluate,
                 .weight_layout = matmul_weight_layout,
                 .slots = {{{0, 2, 4}, {1, 3, 5}}}});
}

}  // namespace quantize
