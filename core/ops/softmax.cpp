// Softmax and LogSoftmax: along one axis from opset 13 on, over the input flattened to a matrix before.
#include <cmath>
#include <vector>

#include "core/ops/lanes.h"
#include "core/ops/require.h"

namespace quantize {

namespace {

/// x seen as [outer][length][inner]; the operator works along `length`.
struct Extents {
  int64_t outer, length, inner;
};

Extents extents_of(const Node& node, int64_t opset, Dims shape) {
  const bool flatten = opset < 13;
  const auto axis =
      static_cast<size_t>(normalize_axis(node.int_attribute("axis", flatten ? 1 : -1), shape.size()));
  if (flatten) return {element_count(shape.first(axis)), element_count(shape.subspan(axis)), 1};
  return {element_count(shape.first(axis)), shape[axis], element_count(shape.subspan(axis + 1))};
}

void infer(InferContext& context) {
  require_f32(context);
  const auto shape = context.shape(0);
  if (shape) normalize_axis(context.node.int_attribute("axis", context.opset < 13 ? 1 : -1), shape->size());
  context.set_output(0, context.input(0).dtype, shape);
}

/// One vector of consecutive elements.
void softmax_row(const KernelTable& kernels, const float* x, float* y, int64_t length, bool log) {
  const float largest = max_lanes(x, length);
  for (int64_t i = 0; i < length; ++i) y[i] = x[i] - largest;
  if (log) {
    float sum = 0;
    for (int64_t i = 0; i < length; ++i) sum += std::exp(y[i]);
    const float shift = std::log(sum);
    for (int64_t i = 0; i < length; ++i) y[i] -= shift;
    return;
  }
  kernels.exp_f32(y, y, static_cast<size_t>(length));
  const float sum = sum_lanes(y, length);
  for (int64_t i = 0; i < length; ++i) y[i] /= sum;
}

void evaluate_as(const EvaluateContext& context, bool log) {
  const auto [outer, length, inner] = extents_of(context.node, context.opset, context.inputs[0].shape);
  const float* x = context.inputs[0].as<float>();
  float* y = context.outputs[0].as<float>();
  if (length == 0) return;
  if (inner == 1) {
    for (int64_t o = 0; o < outer; ++o)
      softmax_row(context.kernels, x + o * length, y + o * length, length, log);
    return;
  }
  std::vector<float> row(static_cast<size_t>(length));
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      const int64_t first = o * length * inner + i;
      for (int64_t k = 0; k < length; ++k) row[static_cast<size_t>(k)] = x[first + k * inner];
      softmax_row(context.kernels, row.data(), row.data(), length, log);
      for (int64_t k = 0; k < length; ++k) y[first + k * inner] = row[static_cast<size_t>(k)];
    }
}

void evaluate_softmax(const EvaluateContext& context) {
  evaluate_as(context, false);
}
void evaluate_log_softmax(const EvaluateContext& context) {
  evaluate_as(context, true);
}

}  // namespace

void add_softmax(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "LogSoftmax",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = 21,
                 .infer = infer,
                 .evaluate = evaluate_log_softmax});
  ops.push_back({.op_type = "Softmax",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = 21,
                 .infer = infer,
                 .evaluate = evaluate_softmax});
}

}  // namespace quantize
