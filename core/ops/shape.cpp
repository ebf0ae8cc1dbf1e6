// Shape and Size: what is known of a tensor without reading it.
#include <algorithm>

#include "core/ops/support/operands.h"

namespace quantize {

namespace {

/// The part [first, last) of the extents that `start` and `end` of opset 15 select.
struct Part {
  int64_t first, last;
};

Part selected(const Node& node, size_t rank_of_input) {
  const auto rank = static_cast<int64_t>(rank_of_input);
  const auto clip = [rank](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  const int64_t first = clip(node.int_attribute("start", 0));
  return {first, std::max(first, clip(node.int_attribute("end", rank)))};
}

void infer_shape(InferContext& context) {
  Shape y{kUnknownDim};
  if (const auto x = context.shape(0)) {
    const Part part = selected(context.node, x->size());
    y = {part.last - part.first};
    Shape elements(x->begin() + part.first, x->begin() + part.last);
    std::replace(elements.begin(), elements.end(), kUnknownDim, kUnknownElement);
    context.set_elements(std::move(elements));
  }
  context.set_output(0, DataType::kS64, y);
}

void evaluate_shape(const EvaluateContext& context) {
  const Dims x = context.inputs[0].shape;
  const Part part = selected(context.node, x.size());
  std::copy(x.begin() + part.first, x.begin() + part.last, context.outputs[0].as<int64_t>());
}

void infer_size(InferContext& context) {
  context.set_output(0, DataType::kS64, Shape{});
}

void evaluate_size(const EvaluateContext& context) {
  *context.outputs[0].as<int64_t>() = context.inputs[0].size();
}

}  // namespace

void add_shape(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Shape",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .infer = infer_shape,
                 .evaluate = evaluate_shape,
                 .reads_shape_only = true});
  ops.push_back({.op_type = "Size",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .infer = infer_size,
                 .evaluate = evaluate_size,
                 .reads_shape_only = true});
}

}  // namespace quantize
