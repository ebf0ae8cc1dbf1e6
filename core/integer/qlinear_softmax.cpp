// QLinearSoftmax of ONNX Runtime: a softmax of codes. Source: onnxruntime ContribOperators, com.microsoft.
#include <vector>

#include "core/integer/codes.h"
#include "core/integer/integer_formulas.h"
#include "core/ops/support/operands.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

enum : size_t { kX = 0, kYScale = 3 };

void infer(InferContext& context) {
  require_codes(context, kX);
  const auto x = context.shape(kX);
  if (x && is_static(*x)) qlinear_softmax_extents(context.node, *x);
  context.set_output(0, code_type(context, kYScale, kX), x);
}

/// Codes of s8 are those of u8 less 128.
uint8_t shift_of(DataType dtype) {
  return dtype == DataType::kS8 ? 128 : 0;
}

void evaluate(const EvaluateContext& context) {
  const auto [outer, length, inner] = qlinear_softmax_extents(context.node, context.inputs[kX].shape);
  const ScalarParams x_params = scalar_operand(context, kX + 1), y_params = scalar_operand(context, kYScale);
  const uint8_t x_shift = shift_of(context.inputs[kX].dtype), y_shift = shift_of(context.outputs[0].dtype);
  const auto* x = static_cast<const uint8_t*>(context.inputs[kX].data);
  auto* y = static_cast<uint8_t*>(context.outputs[0].data);
  std::vector<uint8_t> row(static_cast<size_t>(length));
  std::vector<float> reals(row.size());
  for (int64_t i = 0; i < outer * inner; ++i) {
    const int64_t first = i / inner * length * inner + i % inner;
    for (size_t k = 0; k < row.size(); ++k)
      row[k] = static_cast<uint8_t>(x[first + static_cast<int64_t>(k) * inner] + x_shift);
    context.kernels.softmax_u8({row.data(), row.data(), reals.data(), row.size(), x_params.scale,
                                y_params.scale, y_params.zero_point + y_shift});
    for (size_t k = 0; k < row.size(); ++k)
      y[first + static_cast<int64_t>(k) * inner] = static_cast<uint8_t>(row[k] - y_shift);
  }
}

}  // namespace

void add_qlinear_softmax(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "QLinearSoftmax",
                 .domain = "com.microsoft",
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 5,
                 .max_inputs = 5,
                 .infer = infer,
                 .evaluate = evaluate,
                 .slots = {{operand_at(0)}, 3}});
}

}  // namespace quantize
