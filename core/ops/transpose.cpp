// Transpose: y's axis i is x's axis perm[i]; without perm the axes are reversed.
#include <algorithm>
#include <memory>

#include "core/engine/steps/pixel_steps.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

std::vector<size_t> permutation(const Node& node, size_t rank) {
  std::vector<int64_t> perm = node.ints_attribute("perm", {});
  if (perm.empty())
    for (size_t i = rank; i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  if (perm.size() != rank)
    invalid_model("perm has " + std::to_string(perm.size()) + " axes for a tensor of rank " +
                  std::to_string(rank));
  const auto axes = normalize_axes(perm, rank);
  return {axes.begin(), axes.end()};
}

void infer(InferContext& context) {
  std::optional<Shape> y;
  if (const auto x = context.shape(0)) {
    y.emplace();
    for (size_t axis : permutation(context.node, x->size())) y->push_back((*x)[axis]);
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

void evaluate(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const Shape strides = strides_of(x.shape);
  Shape permuted;
  for (size_t axis : permutation(context.node, x.shape.size())) permuted.push_back(strides[axis]);
  copy_strided(context.outputs[0].shape, x.data, permuted, context.outputs[0].data, size_of(x.dtype));
}

/// Bytes of which neighbours in x are not neighbours in y: matrices to transpose, and a loop around them.
struct TransposeStep {
  void run(const EvaluateContext& context) const {
    const UnitRange range = units_of(context, blocks(), chunks);
    const size_t first = static_cast<size_t>(range.begin) * kBlock,
                 last = std::min(static_cast<size_t>(range.end) * kBlock, columns);
    const auto* from = static_cast<const uint8_t*>(context.inputs[0].data) + first;
    auto* to = static_cast<uint8_t*>(context.outputs[0].data) + first * y_stride;
    around.for_each_row([&](const int64_t* offsets) {
      for (int64_t i = 0; i < around.row_size(); ++i)
        context.kernels.transpose_u8(from + offsets[0] + i * around.row_stride(0), rows, last - first,
                                     x_stride, to + offsets[1] + i * around.row_stride(1), y_stride);
    });
  }

  static constexpr size_t kBlock = 64;  // columns: a cache line
  int64_t blocks() const { return static_cast<int64_t>((columns + kBlock - 1) / kBlock); }

  StridedLoop around;
  size_t rows, columns, x_stride, y_stride;
  size_t chunks = 1;
};

/// y[.., j, .., i] = x[.., i, .., j]: j is the last axis of x that has an extent, i that of y.
StepFunction compile(CompileContext& context) {
  const Value& y = context.graph.value(context.node.outputs[0]);
  if (size_of(y.dtype) != 1 || element_count(*y.shape) == 0) return nullptr;
  const Shape x_strides = strides_of(context.shape(0)), to = strides_of(*y.shape);
  const std::vector<size_t> perm = permutation(context.node, to.size());
  Shape from, extents, steps;  // of y's axes, those of extent 1 left out and neighbours merged
  for (size_t axis = 0; axis < to.size(); ++axis) {
    const int64_t extent = (*y.shape)[axis], stride = x_strides[perm[axis]];
    if (extent == 1) continue;
    if (!from.empty() && from.back() == stride * extent) {
      extents.back() *= extent;
      from.back() = stride;
      steps.back() = to[axis];
    } else {
      extents.push_back(extent);
      from.push_back(stride);
      steps.push_back(to[axis]);
    }
  }
  if (from.empty() || from.back() == 1) return nullptr;  // whole runs are copied
  const size_t i = from.size() - 1;
  const auto j = static_cast<size_t>(std::find(from.begin(), from.end(), 1) - from.begin());
  Shape outer = extents;
  outer[i] = outer[j] = 1;
  auto step = std::make_shared<TransposeStep>(TransposeStep{
      StridedLoop(outer, {from, steps}), static_cast<size_t>(extents[i]), static_cast<size_t>(extents[j]),
      static_cast<size_t>(from[i]), static_cast<size_t>(steps[j])});
  step->chunks = context.chunks =
      chunk_count(static_cast<double>(element_count(*y.shape)) / 8, step->blocks());
  return [step](const EvaluateContext& run) { step->run(run); };
}

}  // namespace

void add_transpose(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Transpose",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = 21,
                 .infer = infer,
                 .evaluate = evaluate,
                 .quantization = QuantizationRule::kPassThrough,
                 .moves_data = true,
                 .compile = compile});
}

}  // namespace quantize
