// Ranges of elements as tensors of their own.
#include "core/engine/steps/split_elementwise.h"

#include <array>

namespace quantize {

namespace {

constexpr size_t kMaxRank = 8, kMaxInputs = 4;
constexpr int64_t kUnit = 64;  // elements: no two threads write to one cache line

struct Elementwise {
  void run(const StepContext& context) const;

  void (*evaluate)(const EvaluateContext&) = nullptr;
  int64_t size = 0, units = 0;
  size_t chunks = 1;
};

/// The operator sees shapes of the same rank whose last extent alone is not 1.
void Elementwise::run(const StepContext& context) const {
  const UnitRange range = units_of(context, units, chunks);
  const int64_t begin = range.begin * kUnit, end = std::min(range.end * kUnit, size);
  const MutableTensorView& y = context.outputs[0];
  std::array<int64_t, kMaxRank> extents;
  extents.fill(1);
  extents[y.shape.size() - 1] = end - begin;
  const Dims shape(extents.data(), y.shape.size());
  const auto offset_of = [&](DataType dtype) { return static_cast<size_t>(begin) * size_of(dtype); };

  std::array<TensorView, kMaxInputs> inputs;
  for (size_t i = 0; i < context.inputs.size(); ++i) {
    inputs[i] = context.inputs[i];
    if (!inputs[i] || inputs[i].size() == 1) continue;
    inputs[i].shape = shape;
    inputs[i].data = static_cast<const std::byte*>(inputs[i].data) + offset_of(inputs[i].dtype);
  }
  const MutableTensorView output{y.dtype, shape, static_cast<std::byte*>(y.data) + offset_of(y.dtype)};
  evaluate({.node = context.node,
            .opset = context.opset,
            .kernels = context.kernels,
            .inputs = std::span(inputs).first(context.inputs.size()),
            .outputs = std::span(&output, 1)});
}

}  // namespace

StepFunction split_elementwise(const OpDef& def, CompileContext& context) {
  const Node& node = context.node;
  if (!def.elementwise || node.outputs.size() != 1 || node.inputs.size() > kMaxInputs) return nullptr;
  const Shape& shape = context.output_shape();
  if (shape.empty() || shape.size() > kMaxRank) return nullptr;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (node.inputs[i] != kNoValue && context.shape(i) != shape && element_count(context.shape(i)) != 1)
      return nullptr;
  Elementwise step{def.evaluate, element_count(shape)};
  step.units = (step.size + kUnit - 1) / kUnit;
  step.chunks = context.cut(kCoarseChunks, static_cast<double>(step.size), step.units);
  if (step.chunks == 1) return nullptr;
  context.chunks = step.chunks;
  return [step](const StepContext& run) { step.run(run); };
}

}  // namespace quantize
