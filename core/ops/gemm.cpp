// Gemm: y = alpha * op(a) * op(b) + beta * c.
#include <string>

#include "core/ops/require.h"

namespace quantize {

namespace {

/// A matrix in memory, transposed or not: element (i, j) stands at i * row_stride + j * column_stride.
struct Matrix {
  int64_t rows, columns, row_stride, column_stride;
};

Matrix matrix_of(Dims shape, bool transposed) {
  if (transposed) return {shape[1], shape[0], 1, shape[1]};
  return {shape[0], shape[1], shape[1], 1};
}

void infer(InferContext& context) {
  require_f32(context);
  const auto a = context.shape(0), b = context.shape(1), c = context.shape(2);
  const bool trans_a = context.node.int_attribute("transA", 0) != 0;
  const bool trans_b = context.node.int_attribute("transB", 0) != 0;
  require((!a || a->size() == 2) && (!b || b->size() == 2), "the operands of Gemm must be matrices");
  const int64_t m = a ? (*a)[trans_a ? 1 : 0] : kUnknownDim, n = b ? (*b)[trans_b ? 0 : 1] : kUnknownDim;
  if (a && b)
    require(compatible((*a)[trans_a ? 0 : 1], (*b)[trans_b ? 1 : 0]),
            "matrices of shapes " + to_string(*a) + " and " + to_string(*b) + " cannot be multiplied");
  const Shape shape{m, n};
  if (c) {
    const bool known = is_static(shape) && is_static(*c);
    require(c->size() <= 2 && (!known || broadcast(shape, *c) == shape),
            "operand C of shape " + to_string(*c) + " does not broadcast to " + to_string(shape));
  }
  context.set_output(0, context.input(0).dtype, shape);
}

void evaluate(const EvaluateContext& context) {
  const Matrix a = matrix_of(context.inputs[0].shape, context.node.int_attribute("transA", 0) != 0);
  const Matrix b = matrix_of(context.inputs[1].shape, context.node.int_attribute("transB", 0) != 0);
  const float alpha = context.node.float_attribute("alpha", 1),
              beta = context.node.float_attribute("beta", 1);
  const float* x = context.inputs[0].as<float>();
  const float* w = context.inputs[1].as<float>();
  const TensorView c = context.input(2);
  const Dims c_shape = c ? c.shape : Dims{};
  const int64_t c_rows = c_shape.size() == 2 ? c_shape[0] : 1,
                c_columns = c_shape.empty() ? 1 : c_shape.back();
  float* y = context.outputs[0].as<float>();
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < b.columns; ++j) {
      float sum = 0;
      for (int64_t k = 0; k < a.columns; ++k)
        sum += x[i * a.row_stride + k * a.column_stride] * w[k * b.row_stride + j * b.column_stride];
      const int64_t c_index = (c_rows == 1 ? 0 : i) * c_columns + (c_columns == 1 ? 0 : j);
      *y++ = alpha * sum + (c ? beta * c.as<float>()[c_index] : 0.0f);
    }
}

}  // namespace

void add_gemm(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Gemm",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = 21,
                 .min_inputs = 2,
                 .max_inputs = 3,
                 .infer = infer,
                 .evaluate = evaluate,
                 .quantization = QuantizationRule::kWeighted});
}

}  // namespace quantize
