// QGemm of ONNX Runtime: y = alpha * op(a) * op(b) + c of codes; without an output scale the result is real.
// Source: onnxruntime ContribOperators, com.microsoft.QGemm.
#include "core/integer/codes.h"
#include "core/ops/gemm.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

constexpr std::array kBiasTypes{DataType::kS32};
enum : size_t { kA = 0, kB = 3, kC = 6, kYScale = 7 };

bool is_transposed(const Node& node, const char* attribute) {
  return node.int_attribute(attribute, 0) != 0;
}

void infer(InferContext& context) {
  require_codes(context, kA);
  require_codes(context, kB);
  if (context.has_input(kC)) require_type(context, kC, kBiasTypes);
  const DataType dtype = context.has_input(kYScale) ? code_type(context, kYScale, kA) : DataType::kF32;
  context.set_output(0, dtype, infer_gemm(context, kA, kB, kC));
}

void evaluate(const EvaluateContext& context) {
  const TensorView &a_codes = context.inputs[kA], &b_codes = context.inputs[kB], c = context.input(kC);
  const bool trans_b = is_transposed(context.node, "transB");
  const MatrixLayout a = gemm_operand_layout(a_codes.shape, is_transposed(context.node, "transA")),
                     b = gemm_operand_layout(b_codes.shape, trans_b);
  const ScalarParams a_params = scalar_operand(context, kA + 1);
  const OperandParams b_params = channel_operand(context, kB + 1, kB + 2, b.columns);
  const auto x = centred_codes(a_codes, {a_params.zero_point}, 1);
  const auto w = centred_codes(b_codes, b_params.zero_point, trans_b ? b.rows : 1);
  const bool is_real = !context.input(kYScale);
  const ScalarParams y_params = is_real ? ScalarParams{} : scalar_operand(context, kYScale);
  CodeWriter codes(context.outputs[0], y_params.zero_point);
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < b.columns; ++j) {
      int64_t sum = c ? c.as<int32_t>()[index_of_c(c.shape, i, j)] : 0;
      for (int64_t k = 0; k < a.columns; ++k)
        sum += int64_t{x[static_cast<size_t>(i * a.row_stride + k * a.column_stride)]} *
               w[static_cast<size_t>(k * b.row_stride + j * b.column_stride)];
      const float b_scale = b_params.scale[b_params.per_tensor() ? 0 : static_cast<size_t>(j)];
      const float step = context.node.float_attribute("alpha", 1) * (a_params.scale * b_scale);
      const float value = static_cast<float>(sum);
      if (is_real)
        context.outputs[0].as<float>()[i * b.columns + j] = value * step;
      else
        codes.append(value * (step / y_params.scale));
    }
}

}  // namespace

void add_qgemm(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "QGemm",
                 .domain = "com.microsoft",
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 6,
                 .max_inputs = 9,
                 .infer = infer,
                 .evaluate = evaluate,
                 .weight_layout = gemm_weight_layout,
                 .weight_input = kB,
                 .slots = {{operand_at(0), operand_at(3)}, 7}});
}

}  // namespace quantize
