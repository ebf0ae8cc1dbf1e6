// Transpose of bytes, by matrices.
#include <algorithm>
#include <memory>

#include "core/engine/steps/pixel_steps.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"
#include "core/ops/transpose.h"

namespace quantize {

namespace {

/// Bytes of which neighbours in x are not neighbours in y: matrices to transpose, and a loop around them.
struct TransposeStep {
  void run(const StepContext& context) const {
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
StepFunction compile_transpose(CompileContext& context) {
  const Value& y = context.graph.value(context.node.outputs[0]);
  if (size_of(y.dtype) != 1 || element_count(*y.shape) == 0) return nullptr;
  const Shape x_strides = strides_of(context.shape(0)), to = strides_of(*y.shape);
  const std::vector<size_t> perm = transpose_permutation(context.node, to.size());
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
      context.cut(kFineChunks, static_cast<double>(element_count(*y.shape)) / 8, step->blocks());
  return [step](const StepContext& run) { step->run(run); };
}

}  // namespace

void add_transpose_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "Transpose", .domain = "", .compile = compile_transpose});
}

}  // namespace quantize
