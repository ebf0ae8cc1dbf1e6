// Slice: a part of a tensor, with steps. starts, ends, axes are attributes up to opset 9, inputs (with steps)
// from 10.
#include <algorithm>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

/// The part of one axis: `size` elements from `first`, `step` apart.
struct Part {
  int64_t first = 0, step = 1, size = 0;
};

Part part_of(int64_t extent, int64_t start, int64_t end, int64_t step) {
  if (step == 0) invalid_model("Slice has a step of 0");
  // Counting down may stop before element 0, which no index counted from the end can say: -1 stands for it
  // here.
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
  const auto clip = [&](int64_t i) { return std::clamp(i < 0 ? i + extent : i, low, high); };
  Part part{clip(start), step, 0};
  const int64_t distance = step > 0 ? clip(end) - part.first : part.first - clip(end);
  // -(step + 1) + 1 as an unsigned number: the lowest step has no negative.
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : static_cast<uint64_t>(-(step + 1)) + 1;
  if (distance > 0) part.size = static_cast<int64_t>((static_cast<uint64_t>(distance) - 1) / stride + 1);
  return part;
}

struct Operands {
  std::vector<int64_t> starts, ends, axes, steps;
};

/// Fills in the defaults of axes and steps, and checks that all are of one length.
void complete(Operands& operands, bool has_axes, bool has_steps, size_t rank) {
  const size_t count = operands.starts.size();
  if (!has_axes)
    for (size_t i = 0; i < count; ++i) operands.axes.push_back(static_cast<int64_t>(i));
  if (!has_steps) operands.steps.assign(count, 1);
  if (operands.ends.size() != count || operands.axes.size() != count || operands.steps.size() != count)
    invalid_model("starts, ends, axes and steps of Slice differ in length");
  operands.axes = normalize_axes(operands.axes, rank);
}

void infer(InferContext& context) {
  const auto x = context.shape(0);
  const IntegerOperand starts = integer_operand(context, "starts", 1),
                       ends = integer_operand(context, "ends", 2);
  const IntegerOperand axes = integer_operand(context, "axes", 3),
                       steps = integer_operand(context, "steps", 4);
  if (!starts.given || !ends.given) invalid_model("the starts or ends of Slice are missing");
  std::optional<Shape> y;
  const auto is_open = [](const IntegerOperand& operand) { return operand.given && !operand.values; };
  if (x && is_open(axes)) {
    y = Shape(x->size(), kUnknownDim);
  } else if (x) {
    y = x;
    const bool open = is_open(starts) || is_open(ends) || is_open(steps);
    // With open bounds the axes still say which extents change; without axes it is the number of starts.
    const std::vector<int64_t> any(axes.values ? axes.values->size() : x->size(), 0);
    Operands operands{open ? any : *starts.values, open ? any : *ends.values, axes.values.value_or(any), {}};
    if (!axes.given) operands.axes.clear();
    if (!open && steps.given) operands.steps = *steps.values;
    complete(operands, axes.given, !open && steps.given, x->size());
    for (size_t i = 0; i < operands.axes.size(); ++i) {
      int64_t& extent = (*y)[static_cast<size_t>(operands.axes[i])];
      extent = open || extent == kUnknownDim
                   ? kUnknownDim
                   : part_of(extent, operands.starts[i], operands.ends[i], operands.steps[i]).size;
    }
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

void evaluate(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const auto axes = integer_operand(context, "axes", 3), steps = integer_operand(context, "steps", 4);
  Operands operands{integer_operand(context, "starts", 1).value(),
                    integer_operand(context, "ends", 2).value(), axes.value_or(std::vector<int64_t>()),
                    steps.value_or(std::vector<int64_t>())};
  complete(operands, axes.has_value(), steps.has_value(), x.shape.size());
  Shape strides = strides_of(x.shape);
  int64_t offset = 0;
  for (size_t i = 0; i < operands.axes.size(); ++i) {
    const auto axis = static_cast<size_t>(operands.axes[i]);
    const Part part = part_of(x.shape[axis], operands.starts[i], operands.ends[i], operands.steps[i]);
    if (part.size != context.outputs[0].shape[axis])
      invalid_model("the bounds of Slice do not fit its output");
    offset += part.first * strides[axis];
    strides[axis] = part.size > 1 ? strides[axis] * part.step : 0;
  }
  const auto width = static_cast<int64_t>(size_of(x.dtype));
  copy_strided(context.outputs[0].shape, static_cast<const std::byte*>(x.data) + offset * width, strides,
               context.outputs[0].data, size_of(x.dtype));
}

}  // namespace

void add_slice(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Slice",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .max_inputs = 5,
                 .infer = infer,
                 .evaluate = evaluate,
                 .moves_data = true});
}

}  // namespace quantize
