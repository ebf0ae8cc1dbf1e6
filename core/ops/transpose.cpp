// Transpose: y's axis i is x's axis perm[i]; without perm the axes are reversed.
#include "core/ops/transpose.h"

#include <string>

#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

std::vector<size_t> transpose_permutation(const Node& node, size_t rank) {
  std::vector<int64_t> perm = node.ints_attribute("perm", {});
  if (perm.empty())
    for (size_t i = rank; i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  if (perm.size() != rank)
    invalid_model("perm has " + std::to_string(perm.size()) + " axes for a tensor of rank " +
                  std::to_string(rank));
  const auto axes = normalize_axes(perm, rank);
  return {axes.begin(), axes.end()};
}

namespace {

void infer(InferContext& context) {
  std::optional<Shape> y;
  if (const auto x = context.shape(0)) {
    y.emplace();
    for (size_t axis : transpose_permutation(context.node, x->size())) y->push_back((*x)[axis]);
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

void evaluate(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const Shape strides = strides_of(x.shape);
  Shape permuted;
  for (size_t axis : transpose_permutation(context.node, x.shape.size())) permuted.push_back(strides[axis]);
  copy_strided(context.outputs[0].shape, x.data, permuted, context.outputs[0].data, size_of(x.dtype));
}

}  // namespace

void add_transpose(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Transpose",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .infer = infer,
                 .evaluate = evaluate,
                 .moves_data = true});
}

}  // namespace quantize
