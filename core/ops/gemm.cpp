// Gemm: y = alpha * op(a) * op(b) + beta * c.
#include <string>

#include "core/ops/gemm.h"
#include "core/ops/support/require.h"

namespace quantize {

MatrixLayout gemm_operand_layout(Dims shape, bool transposed) {
  const MatrixLayout stored = MatrixLayout::row_major(shape[0], shape[1]);
  return transposed ? stored.transposed() : stored;
}

GemmShape::GemmShape(const Node& node, Dims a_shape, Dims b_shape)
    : a(gemm_operand_layout(a_shape, node.int_attribute("transA", 0) != 0)),
      b(gemm_operand_layout(b_shape, node.int_attribute("transB", 0) != 0)),
      alpha(node.float_attribute("alpha", 1)),
      beta(node.float_attribute("beta", 1)) {}

int64_t index_of_c(Dims shape, int64_t i, int64_t j) {
  const int64_t rows = shape.size() == 2 ? shape[0] : 1, columns = shape.empty() ? 1 : shape.back();
  return (rows == 1 ? 0 : i) * columns + (columns == 1 ? 0 : j);
}

bool is_row_of_c(Dims shape, int64_t columns) {
  return element_count(shape) == columns && (shape.empty() || shape.back() == columns);
}

Shape infer_gemm(const InferContext& context, size_t at_a, size_t at_b, size_t at_c) {
  const auto a = context.shape(at_a), b = context.shape(at_b), c = context.shape(at_c);
  const bool trans_a = context.node.int_attribute("transA", 0) != 0;
  const bool trans_b = context.node.int_attribute("transB", 0) != 0;
  require((!a || a->size() == 2) && (!b || b->size() == 2),
          "the operands of " + context.node.op_type + " must be matrices");
  const int64_t m = a ? (*a)[trans_a ? 1 : 0] : kUnknownDim, n = b ? (*b)[trans_b ? 0 : 1] : kUnknownDim;
  if (a && b)
    require(compatible((*a)[trans_a ? 0 : 1], (*b)[trans_b ? 1 : 0]),
            "matrices of shapes " + to_string(*a) + " and " + to_string(*b) + " cannot be multiplied");
  Shape shape{m, n};
  if (c) {
    const bool known = is_static(shape) && is_static(*c);
    require(c->size() <= 2 && (!known || broadcast(shape, *c) == shape),
            "operand C of shape " + to_string(*c) + " does not broadcast to " + to_string(shape));
  }
  return shape;
}

void infer_plain_gemm(InferContext& context) {
  require_f32(context);
  context.set_output(0, context.input(0).dtype, infer_gemm(context, 0, 1, 2));
}

void evaluate_plain_gemm(const EvaluateContext& context) {
  const auto [a, b, alpha, beta] = GemmShape(context.node, context.inputs[0].shape, context.inputs[1].shape);
  const float* x = context.inputs[0].as<float>();
  const float* w = context.inputs[1].as<float>();
  const TensorView c = context.input(2);
  float* y = context.outputs[0].as<float>();
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < b.columns; ++j) {
      float sum = 0;
      for (int64_t k = 0; k < a.columns; ++k)
        sum += x[i * a.row_stride + k * a.column_stride] * w[k * b.row_stride + j * b.column_stride];
      *y++ = alpha * sum + (c ? beta * c.as<float>()[index_of_c(c.shape, i, j)] : 0.0f);
    }
}

std::optional<WeightLayout> gemm_weight_layout(const Node& node, Dims shape) {
  if (shape.size() != 2) return std::nullopt;
  const bool transposed = node.int_attribute("transB", 0) != 0;
  WeightLayout layout;
  layout.outputs = shape[transposed ? 0 : 1];
  layout.inputs = shape[transposed ? 1 : 0];
  layout.output_stride = transposed ? layout.inputs : 1;
  layout.input_stride = transposed ? 1 : layout.outputs;
  layout.channel_axis = transposed ? 0 : 1;
  layout.input_axis = node.int_attribute("transA", 0) != 0 ? 0 : -1;
  return layout;
}

void add_gemm(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Gemm",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 3,
                 .infer = infer_plain_gemm,
                 .evaluate = evaluate_plain_gemm,
                 .weight_layout = gemm_weight_layout});
}

}  // namespace quantize
