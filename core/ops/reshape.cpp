// Operators that keep the elements in order and change the shape at most: Reshape, Flatten, Squeeze,
// Unsqueeze, Identity.
#include <algorithm>
#include <cstring>

#include "core/ops/support/operands.h"

namespace quantize {

namespace {

void copy_elements(const EvaluateContext& context) {
  const MutableTensorView& y = context.outputs[0];
  const size_t bytes = byte_count(y.dtype, y.shape);
  if (bytes != byte_count(context.inputs[0].dtype, context.inputs[0].shape))
    invalid_model("cannot see " + to_string(context.inputs[0].shape) + " as " + to_string(y.shape));
  if (bytes != 0 && y.data != context.inputs[0].data) std::memcpy(y.data, context.inputs[0].data, bytes);
}

/// Fills in the -1 at `hole`: what is left of the input's elements. Extents that both sides share by a 0 in
/// the request cancel out, so that they may be unknown.
int64_t solve_extent(const Shape& x, const Shape& y, const std::vector<bool>& copied, size_t hole) {
  Shape from, to;
  for (size_t i = 0; i < x.size(); ++i)
    if (i >= copied.size() || !copied[i]) from.push_back(x[i]);
  for (size_t i = 0; i < y.size(); ++i)
    if (i != hole && !copied[i]) to.push_back(y[i]);
  if (!is_static(from) || !is_static(to)) return kUnknownDim;
  const int64_t total = element_count(from), rest = element_count(to);
  if (rest == 0 || total % rest != 0)
    invalid_model("cannot see " + to_string(x) + " as " + to_string(y) + ": the sizes do not divide");
  return total / rest;
}

std::optional<Shape> reshaped(const InferContext& context) {
  const auto request = requested_shape(context, 1, -1);
  const auto x = context.shape(0);
  if (!request) return std::nullopt;
  const bool allow_zero = context.node.int_attribute("allowzero", 0) != 0;
  Shape y = request->extents;
  std::vector<bool> copied(y.size(), false);
  size_t hole = y.size();
  for (size_t i = 0; i < y.size(); ++i) {
    if (y[i] == -1 && !request->unknown[i]) {
      if (hole != y.size()) invalid_model("a shape to reshape to has more than one -1");
      hole = i;
    } else if (y[i] == 0 && !allow_zero) {
      if (x && i >= x->size())
        invalid_model("a 0 in the shape to reshape to stands for no extent of the input");
      copied[i] = true;
      y[i] = x ? (*x)[i] : kUnknownDim;
    }
  }
  if (hole != y.size() && x) y[hole] = solve_extent(*x, y, copied, hole);
  return y;
}

void infer_reshape(InferContext& context) {
  const auto x = context.shape(0);
  auto y = reshaped(context);
  if (x && y && is_static(*x) && is_static(*y) && element_count(*x) != element_count(*y))
    invalid_model("cannot see " + to_string(*x) + " as " + to_string(*y));
  context.set_output(0, context.input(0).dtype, std::move(y));
}

int64_t known_product(const Shape& shape, size_t first, size_t last) {
  const Dims part = Dims(shape).subspan(first, last - first);
  return is_static(part) ? element_count(part) : kUnknownDim;
}

void infer_flatten(InferContext& context) {
  const auto x = context.shape(0);
  Shape y{kUnknownDim, kUnknownDim};
  if (x) {
    const int64_t wanted = context.node.int_attribute("axis", 1);
    const auto rank = static_cast<int64_t>(x->size());
    const auto axis = wanted == rank ? x->size() : static_cast<size_t>(normalize_axis(wanted, x->size()));
    y = {known_product(*x, 0, axis), known_product(*x, axis, x->size())};
  }
  context.set_output(0, context.input(0).dtype, y);
}

std::optional<Shape> squeezed(const Shape& x, const IntegerOperand& operand) {
  Shape y;
  if (!operand.given) {
    if (!is_static(x)) return std::nullopt;
    std::copy_if(x.begin(), x.end(), std::back_inserter(y), [](int64_t extent) { return extent != 1; });
    return y;
  }
  if (!operand.values) return std::nullopt;
  const auto axes = normalize_axes(*operand.values, x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) == axes.end())
      y.push_back(x[i]);
    else if (x[i] != 1 && x[i] != kUnknownDim)
      invalid_model("axis " + std::to_string(i) + " of " + to_string(x) + " is not 1 and cannot be squeezed");
  }
  return y;
}

void infer_squeeze(InferContext& context) {
  const auto x = context.shape(0);
  context.set_output(0, context.input(0).dtype,
                     x ? squeezed(*x, integer_operand(context, "axes", 1)) : std::nullopt);
}

void infer_unsqueeze(InferContext& context) {
  const auto x = context.shape(0);
  const IntegerOperand operand = integer_operand(context, "axes", 1);
  if (!operand.given) invalid_model("the axes to insert are missing");
  std::optional<Shape> y;
  if (x && operand.values) {
    const auto axes = normalize_axes(*operand.values, x->size() + operand.values->size());
    y = Shape(x->size() + axes.size(), 0);
    for (int64_t axis : axes) (*y)[static_cast<size_t>(axis)] = 1;
    auto next = x->begin();
    for (int64_t& extent : *y)
      if (extent == 0) extent = *next++;
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

}  // namespace

void add_reshape(std::vector<OpDef>& ops) {
  const auto add = [&ops](const char* op_type, size_t min_inputs, size_t max_inputs,
                          void (*infer)(InferContext&)) {
    ops.push_back({.op_type = op_type,
                   .domain = "",
                   .min_opset = 7,
                   .max_opset = kNewestOpset,
                   .min_inputs = min_inputs,
                   .max_inputs = max_inputs,
                   .infer = infer,
                   .evaluate = copy_elements,
                   .moves_data = true,
                   .keeps_order = true});
  };
  add("Flatten", 1, 1, infer_flatten);
  add("Identity", 1, 1, infer_same_as_input);
  add("Reshape", 2, 2, infer_reshape);
  add("Squeeze", 1, 2, infer_squeeze);
  add("Unsqueeze", 1, 2, infer_unsqueeze);
}

}  // namespace quantize
