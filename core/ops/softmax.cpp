// Softmax and LogSoftmax: along one axis from opset 13 on, over the input flattened to a matrix before.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/ops/softmax.h"
#include "core/ops/support/lanes.h"
#include "core/ops/support/require.h"
#include "kernels/kernel_table.h"

namespace quantize {

SoftmaxExtents softmax_extents(const Node& node, int64_t opset, Dims shape) {
  const bool flatten = opset < 13;
  const auto axis =
      static_cast<size_t>(normalize_axis(node.int_attribute("axis", flatten ? 1 : -1), shape.size()));
  if (flatten) return {element_count(shape.first(axis)), element_count(shape.subspan(axis)), 1};
  return {element_count(shape.first(axis)), shape[axis], element_count(shape.subspan(axis + 1))};
}

namespace {

void infer(InferContext& context) {
  require_f32(context);
  const auto shape = context.shape(0);
  if (shape) normalize_axis(context.node.int_attribute("axis", context.opset < 13 ? 1 : -1), shape->size());
  context.set_output(0, context.input(0).dtype, shape);
}

/// One vector of consecutive elements.
void softmax_row(const KernelTable& kernels, const float* x, float* y, int64_t length, bool log) {
  if (!log) return kernels.softmax_f32(x, y, static_cast<size_t>(length));
  const float largest = max_lanes(x, length);
  float sum = 0;
  for (int64_t i = 0; i < length; ++i) sum += std::exp(y[i] = x[i] - largest);
  const float shift = std::log(sum);
  for (int64_t i = 0; i < length; ++i) y[i] -= shift;
}

constexpr int64_t kColumns = 256;  // that are worked on side by side

/// Up to kColumns vectors of `length` elements side by side; the elements of one are `stride` apart.
struct Columns {
  int64_t length, stride, columns;
};

void softmax_columns(const KernelTable& kernels, const float* x, float* y, const Columns& block, bool log) {
  const auto& [length, stride, columns] = block;
  float largest[kColumns], sum[kColumns] = {};
  std::copy_n(x, columns, largest);
  for (int64_t k = 1; k < length; ++k)
    for (int64_t i = 0; i < columns; ++i) largest[i] = std::max(largest[i], x[k * stride + i]);
  float exponential[kColumns];
  for (int64_t k = 0; k < length; ++k) {
    float* row = y + k * stride;
    for (int64_t i = 0; i < columns; ++i) row[i] = x[k * stride + i] - largest[i];
    float* target = log ? exponential : row;
    kernels.exp_f32(row, target, static_cast<size_t>(columns));
    for (int64_t i = 0; i < columns; ++i) sum[i] += target[i];
  }
  if (log) std::transform(sum, sum + columns, sum, [](float total) { return std::log(total); });
  for (int64_t k = 0; k < length; ++k)
    for (int64_t i = 0; i < columns; ++i) {
      float& result = y[k * stride + i];
      result = log ? result - sum[i] : result / sum[i];
    }
}

}  // namespace

int64_t softmax_units(const SoftmaxExtents& extents) {
  return extents.inner == 1 ? extents.outer : extents.outer * ((extents.inner + kColumns - 1) / kColumns);
}

void softmax_part(const EvaluateContext& context, const SoftmaxExtents& extents, int64_t begin, int64_t end,
                  bool log) {
  const auto [outer, length, inner] = extents;
  const float* x = context.inputs[0].as<float>();
  float* y = context.outputs[0].as<float>();
  if (length == 0) return;
  const int64_t blocks = softmax_units(extents) / std::max<int64_t>(outer, 1);
  for (int64_t unit = begin; unit < end; ++unit) {
    if (inner == 1) {
      softmax_row(context.kernels, x + unit * length, y + unit * length, length, log);
      continue;
    }
    const int64_t i = unit % blocks * kColumns, first = unit / blocks * length * inner + i;
    softmax_columns(context.kernels, x + first, y + first, {length, inner, std::min(kColumns, inner - i)},
                    log);
  }
}

namespace {

template <bool kLog>
void evaluate(const EvaluateContext& context) {
  const SoftmaxExtents extents = softmax_extents(context.node, context.opset, context.inputs[0].shape);
  softmax_part(context, extents, 0, softmax_units(extents), kLog);
}

}  // namespace

void add_softmax(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "LogSoftmax",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = kNewestOpset,
                 .infer = infer,
                 .evaluate = evaluate<true>});
  ops.push_back({.op_type = "Softmax",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = kNewestOpset,
                 .infer = infer,
                 .evaluate = evaluate<false>});
}

}  // namespace quantize
