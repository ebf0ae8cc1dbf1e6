// Split: the parts of a tensor along an axis. Their sizes are an attribute up to opset 12, an input from 13;
// without them all parts are equal, but for a smaller last one where opset 18 allows it.
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

std::vector<int64_t> equal_parts(int64_t extent, int64_t count, bool has_rest) {
  if (extent == kUnknownDim) return std::vector<int64_t>(static_cast<size_t>(count), kUnknownDim);
  const int64_t size = (extent + count - 1) / count;
  if (extent % count != 0 && !has_rest)
    invalid_model("an extent of " + std::to_string(extent) + " does not split into " + std::to_string(count));
  std::vector<int64_t> parts(static_cast<size_t>(count), size);
  parts.back() = extent - size * (count - 1);
  if (parts.back() < 0)
    invalid_model("an extent of " + std::to_string(extent) + " does not split into " + std::to_string(count));
  return parts;
}

void check_parts(const std::vector<int64_t>& parts, size_t outputs, int64_t extent) {
  int64_t sum = 0;
  for (int64_t part : parts) {
    if (part < 0) invalid_model("Split has a part of size " + std::to_string(part));
    sum = checked_add(sum, part);
  }
  if (parts.size() != outputs || (extent != kUnknownDim && sum != extent))
    invalid_model("the parts of Split do not fit its outputs or its input");
}

void infer(InferContext& context) {
  const auto x = context.shape(0);
  const size_t outputs = context.node.outputs.size();
  const int64_t count = context.node.int_attribute("num_outputs", static_cast<int64_t>(outputs));
  if (count != static_cast<int64_t>(outputs)) invalid_model("num_outputs is not the number of outputs");
  const IntegerOperand operand = integer_operand(context, "split", 1);
  for (size_t i = 0; i < outputs; ++i) context.set_output(i, context.input(0).dtype, std::nullopt);
  if (!x) return;
  const auto axis = static_cast<size_t>(normalize_axis(context.node.int_attribute("axis", 0), x->size()));
  std::vector<int64_t> parts(outputs, kUnknownDim);
  if (operand.values) {
    parts = *operand.values;
    check_parts(parts, outputs, (*x)[axis]);
  } else if (!operand.given) {
    parts = equal_parts((*x)[axis], count, context.node.has_attribute("num_outputs"));
  }
  for (size_t i = 0; i < outputs; ++i) {
    Shape y = *x;
    y[axis] = parts[i];
    context.set_output(i, context.input(0).dtype, std::move(y));
  }
}

/// Where each part begins follows from the parts before it, also from those that nobody reads.
std::vector<int64_t> part_sizes(const EvaluateContext& context, int64_t extent) {
  if (const auto parts = integer_operand(context, "split", 1)) return *parts;
  return equal_parts(extent, static_cast<int64_t>(context.outputs.size()),
                     context.node.has_attribute("num_outputs"));
}

void evaluate(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const auto axis =
      static_cast<size_t>(normalize_axis(context.node.int_attribute("axis", 0), x.shape.size()));
  const std::vector<int64_t> parts = part_sizes(context, x.shape[axis]);
  check_parts(parts, context.outputs.size(), x.shape[axis]);
  const Shape strides = strides_of(x.shape);
  const size_t width = size_of(x.dtype);
  const auto* from = static_cast<const std::byte*>(x.data);
  for (size_t i = 0; i < parts.size(); ++i) {
    const MutableTensorView& y = context.outputs[i];
    if (y && y.size() != 0) copy_strided(y.shape, from, strides, y.data, width);
    from += parts[i] * strides[axis] * static_cast<int64_t>(width);
  }
}

}  // namespace

void add_split(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Split",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .max_inputs = 2,
                 .max_outputs = kAnyNumber,
                 .infer = infer,
                 .evaluate = evaluate,
                 .moves_data = true});
}

}  // namespace quantize
