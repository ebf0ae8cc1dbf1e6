// Concat: the inputs one after the other along an axis.
#include "core/ops/concat.h"

#include <cstring>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

/// Merges what input i says into the result so far.
void append(Shape& y, const Shape& x, size_t axis) {
  if (x.size() != y.size())
    invalid_model("tensors of shapes " + to_string(y) + " and " + to_string(x) + " do not concatenate");
  for (size_t d = 0; d < y.size(); ++d) {
    if (d == axis) {
      y[d] = y[d] == kUnknownDim || x[d] == kUnknownDim ? kUnknownDim : checked_add(y[d], x[d]);
    } else if (y[d] == kUnknownDim) {
      y[d] = x[d];
    } else if (x[d] != kUnknownDim && x[d] != y[d]) {
      invalid_model("tensors of shapes " + to_string(y) + " and " + to_string(x) + " do not concatenate");
    }
  }
}

void infer(InferContext& context) {
  std::vector<std::optional<Shape>> shapes;
  for (size_t i = 0; i < context.input_count(); ++i) {
    if (!context.has_input(i)) invalid_model("input " + std::to_string(i) + " is missing");
    require_same_type(context, 0, i);
    shapes.push_back(context.shape(i));
  }
  context.set_output(0, context.input(0).dtype, concat_shape(context.node, shapes));
}

void evaluate(const EvaluateContext& context) {
  concat_views(context.node, context.inputs, context.outputs[0]);
}

}  // namespace

std::optional<Shape> concat_shape(const Node& node, const std::vector<std::optional<Shape>>& inputs) {
  if (!node.has_attribute("axis")) invalid_model("attribute 'axis' is missing");
  std::optional<Shape> y;
  const auto axis = [&] {
    return static_cast<size_t>(normalize_axis(node.int_attribute("axis", 0), y->size()));
  };
  bool all_known = true;
  for (const std::optional<Shape>& x : inputs) {
    if (!x) {
      all_known = false;
    } else if (y) {
      append(*y, *x, axis());
    } else {
      y = x;
      axis();  // must be one of its axes
    }
  }
  if (y && !all_known) (*y)[axis()] = kUnknownDim;
  return y;
}

void concat_views(const Node& node, std::span<const TensorView> inputs, const MutableTensorView& y) {
  const auto axis = static_cast<size_t>(normalize_axis(node.int_attribute("axis", 0), y.shape.size()));
  const auto width = static_cast<int64_t>(size_of(y.dtype));
  const int64_t outer = extent_product(y.shape, 0, axis);
  auto* to = static_cast<std::byte*>(y.data);
  const int64_t pitch = extent_product(y.shape, axis, y.shape.size()) * width;
  for (const TensorView& x : inputs) {
    const int64_t bytes = extent_product(x.shape, axis, x.shape.size()) * width;
    if (bytes == 0) continue;
    const auto* from = static_cast<const std::byte*>(x.data);
    for (int64_t o = 0; o < outer; ++o)
      std::memcpy(to + o * pitch, from + o * bytes, static_cast<size_t>(bytes));
    to += bytes;
  }
}

void add_concat(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Concat",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .max_inputs = kAnyNumber,
                 .infer = infer,
                 .evaluate = evaluate,
                 .moves_data = true});
}

}  // namespace quantize
