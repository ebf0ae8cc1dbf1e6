// MatMul as numpy.matmul: batches broadcast, one-dimensional operands are a row or a column.
#include <memory>
#include <string>
#include <utility>

#include "core/ops/matmul.h"
#include "core/ops/support/require.h"

namespace quantize {

MatMulOperands matmul_operands(Dims a, Dims b) {
  require(!a.empty() && !b.empty(), "the operands of MatMul must have at least one axis");
  MatMulOperands result{{a.begin(), a.end()}, {b.begin(), b.end()}, {}, {}};
  if (a.size() == 1) result.a.insert(result.a.begin(), 1);
  if (b.size() == 1) result.b.push_back(1);
  const size_t a_batch = result.a.size() - 2, b_batch = result.b.size() - 2;
  require(compatible(result.a[a_batch + 1], result.b[b_batch]),
          "operands of shapes " + to_string(a) + " and " + to_string(b) + " cannot be multiplied");
  result.batch = broadcast(Dims(result.a).first(a_batch), Dims(result.b).first(b_batch));
  result.output = result.batch;
  if (a.size() > 1) result.output.push_back(result.a[a_batch]);
  if (b.size() > 1) result.output.push_back(result.b[b_batch + 1]);
  return result;
}

int64_t matrix_index(const Shape& batch, const Shape& operand, int64_t i) {
  const size_t axes = operand.size() - 2;
  int64_t index = 0, step = 1;
  for (size_t back = 0; back < batch.size(); ++back) {
    const int64_t extent = batch[batch.size() - 1 - back];
    const int64_t position = i % extent;
    i /= extent;
    if (back >= axes) continue;
    const int64_t own = operand[axes - 1 - back];
    if (own != 1) index += position * step;
    step *= own;
  }
  return index;
}

namespace {

void infer(InferContext& context) {
  require_f32(context);
  const auto a = context.shape(0), b = context.shape(1);
  if (!a || !b) return context.set_output(0, context.input(0).dtype, std::nullopt);
  context.set_output(0, context.input(0).dtype, matmul_operands(*a, *b).output);
}

void evaluate(const EvaluateContext& context) {
  const MatMulOperands operands = matmul_operands(context.inputs[0].shape, context.inputs[1].shape);
  const int64_t m = operands.a[operands.a.size() - 2], k = operands.a.back(), n = operands.b.back();
  float* y = context.outputs[0].as<float>();
  for (int64_t batch = 0; batch < element_count(operands.batch); ++batch) {
    const float* a = context.inputs[0].as<float>() + matrix_index(operands.batch, operands.a, batch) * m * k;
    const float* b = context.inputs[1].as<float>() + matrix_index(operands.batch, operands.b, batch) * k * n;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        float sum = 0;
        for (int64_t l = 0; l < k; ++l) sum += a[i * k + l] * b[l * n + j];
        *y++ = sum;
      }
  }
}

}  // namespace

std::optional<WeightLayout> matmul_weight_layout(const Node&, Dims shape) {
  if (shape.size() < 2) return std::nullopt;
  WeightLayout layout;
  layout.outputs = shape.back();
  layout.inputs = shape[shape.size() - 2];
  layout.output_stride = 1;
  layout.input_stride = layout.outputs;
  layout.channel_axis = static_cast<int64_t>(shape.size()) - 1;
  layout.input_axis = -1;
  return layout;
}

void add_matmul(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "MatMul",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer,
                 .evaluate = evaluate,
                 .weight_layout = matmul_weight_layout});
}

}  // namespace quantize
