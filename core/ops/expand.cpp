// Expand: repeats axes of extent 1 as numpy broadcasting does. Tile: repeats the tensor along every axis.
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

void infer_expand(InferContext& context) {
  const auto x = context.shape(0);
  const auto request = requested_shape(context, 1, 0);
  std::optional<Shape> y;
  if (x && request) y = broadcast(*x, request->extents);
  context.set_output(0, context.input(0).dtype, std::move(y));
}

void evaluate_expand(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const MutableTensorView& y = context.outputs[0];
  copy_strided(y.shape, x.data, broadcast_strides(x.shape, y.shape), y.data, size_of(x.dtype));
}

void infer_tile(InferContext& context) {
  const auto x = context.shape(0);
  const auto repeats = requested_shape(context, 1, 0);
  std::optional<Shape> y;
  if (x && repeats) {
    if (repeats->extents.size() != x->size())
      invalid_model("Tile has " + std::to_string(repeats->extents.size()) + " repeats for " + to_string(*x));
    y = Shape(x->size(), kUnknownDim);
    for (size_t i = 0; i < x->size(); ++i)
      if ((*x)[i] != kUnknownDim && !repeats->unknown[i] &&
          __builtin_mul_overflow((*x)[i], repeats->extents[i], &(*y)[i]))
        invalid_model("the result of Tile is too large");
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

/// Every axis becomes two, of which the outer one does not move in x.
void evaluate_tile(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const MutableTensorView& y = context.outputs[0];
  const Shape x_strides = strides_of(x.shape);
  Shape shape, strides;
  for (size_t i = 0; i < x.shape.size(); ++i) {
    shape.insert(shape.end(), {y.shape[i] / x.shape[i], x.shape[i]});
    strides.insert(strides.end(), {0, x_strides[i]});
  }
  copy_strided(shape, x.data, strides, y.data, size_of(x.dtype));
}

OpDef repeating(const char* op_type, int min_opset, void (*infer)(InferContext&),
                void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = min_opset,
          .max_opset = kNewestOpset,
          .min_inputs = 2,
          .max_inputs = 2,
          .infer = infer,
          .evaluate = evaluate,
          .moves_data = true};
}

}  // namespace

void add_expand(std::vector<OpDef>& ops) {
  ops.push_back(repeating("Expand", 8, infer_expand, evaluate_expand));
  ops.push_back(repeating("Tile", 7, infer_tile, evaluate_tile));
}

}  // namespace quantize
