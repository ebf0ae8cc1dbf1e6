// QLinearMatMul: a product of codes, as MatMul with sums of integers.
#include "core/integer/codes.h"
#include "core/ops/matmul.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

enum : size_t { kA = 0, kB = 3, kYScale = 6 };

void infer(InferContext& context) {
  require_codes(context, kA);
  require_codes(context, kB);
  const DataType dtype = code_type(context, kYScale, kA);
  const auto a = context.shape(kA), b = context.shape(kB);
  if (!a || !b) return context.set_output(0, dtype, std::nullopt);
  context.set_output(0, dtype, matmul_operands(*a, *b).output);
}

void evaluate(const EvaluateContext& context) {
  const TensorView &a_codes = context.inputs[kA], &b_codes = context.inputs[kB];
  const MatMulOperands shapes = matmul_operands(a_codes.shape, b_codes.shape);
  const int64_t n = shapes.b.back();
  const ScalarParams a_params = scalar_operand(context, kA + 1), y_params = scalar_operand(context, kYScale);
  const OperandParams b_params = channel_operand(context, kB + 1, kB + 2, n);
  const auto a = centred_codes(a_codes, {a_params.zero_point}, 1),
             b = centred_codes(b_codes, b_params.zero_point, 1);
  CodeWriter y(context.outputs[0], y_params.zero_point);
  for_each_product(shapes, a, b, [&](int64_t sum, int64_t j) {
    const float b_scale = b_params.scale[b_params.per_tensor() ? 0 : static_cast<size_t>(j)];
    y.append(static_cast<float>(sum) * ((a_params.scale * b_scale) / y_params.scale));
  });
}

}  // namespace

void add_qlinear_matmul(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "QLinearMatMul",
                 .domain = "",
                 .min_opset = 10,
                 .max_opset = kNewestOpset,
                 .min_inputs = 8,
                 .max_inputs = 8,
                 .infer = infer,
                 .evaluate = evaluate,
                 .weight_layout = matmul_weight_layout,
                 .weight_input = kB,
                 .slots = {{operand_at(0), operand_at(3)}, 6}});
}

}  // namespace quantize
