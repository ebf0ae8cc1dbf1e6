// Gather: slices of the data at the indices, along an axis. GatherElements: one element per index. Negative
// indices count from the end.
#include <cstring>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

/// Index i of an axis, checked.
int64_t checked_index(int64_t i, int64_t extent) {
  if (i < -extent || i >= extent)
    invalid_model("index " + std::to_string(i) + " is outside an extent of " + std::to_string(extent));
  return i < 0 ? i + extent : i;
}

size_t axis_of(const Node& node, size_t rank) {
  return static_cast<size_t>(normalize_axis(node.int_attribute("axis", 0), rank));
}

void infer_gather(InferContext& context) {
  require_type(context, 1, kIndexTypes);
  const auto x = context.shape(0), indices = context.shape(1);
  std::optional<Shape> y;
  if (x && indices) {
    const auto axis = static_cast<std::ptrdiff_t>(axis_of(context.node, x->size()));
    y = Shape(x->begin(), x->begin() + axis);
    y->insert(y->end(), indices->begin(), indices->end());
    y->insert(y->end(), x->begin() + axis + 1, x->end());
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

void evaluate_gather(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const size_t axis = axis_of(context.node, x.shape.size());
  const int64_t extent = x.shape[axis];
  const int64_t outer = extent_product(x.shape, 0, axis);
  const auto block =
      static_cast<size_t>(extent_product(x.shape, axis + 1, x.shape.size())) * size_of(x.dtype);
  const std::vector<int64_t> indices = to_integers(context.inputs[1]);
  const auto* from = static_cast<const std::byte*>(x.data);
  auto* to = static_cast<std::byte*>(context.outputs[0].data);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t index : indices) {
      const int64_t row = o * extent + checked_index(index, extent);
      std::memcpy(to, from + static_cast<size_t>(row) * block, block);
      to += block;
    }
}

void infer_gather_elements(InferContext& context) {
  require_type(context, 1, kIndexTypes);
  const auto x = context.shape(0), indices = context.shape(1);
  if (x && indices) {
    const size_t axis = axis_of(context.node, x->size());
    bool fits = x->size() == indices->size();
    for (size_t i = 0; fits && i < x->size(); ++i)
      fits = i == axis || (*x)[i] == kUnknownDim || (*indices)[i] <= (*x)[i];
    if (!fits)
      invalid_model("indices of shape " + to_string(*indices) + " do not fit data of shape " + to_string(*x));
  }
  context.set_output(0, context.input(0).dtype, indices);
}

void evaluate_gather_elements(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const size_t axis = axis_of(context.node, x.shape.size());
  const std::vector<int64_t> indices = to_integers(context.inputs[1]);
  const Dims shape = context.inputs[1].shape;
  Shape strides = strides_of(x.shape);
  const int64_t step = strides[axis];
  strides[axis] = 0;
  const StridedLoop loop(shape, {strides_of(shape), strides});
  visit_width(size_of(x.dtype), [&]<typename T>() {
    const T* from = static_cast<const T*>(x.data);
    T* to = static_cast<T*>(context.outputs[0].data);
    loop.for_each_row([&](const int64_t* offsets) {
      for (int64_t i = 0; i < loop.row_size(); ++i) {
        const int64_t place = offsets[0] + i;
        const int64_t index = checked_index(indices[static_cast<size_t>(place)], x.shape[axis]);
        to[place] = from[offsets[1] + i * loop.row_stride(1) + index * step];
      }
    });
  });
}

}  // namespace

void add_gather(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Gather",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = 21,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer_gather,
                 .evaluate = evaluate_gather,
                 .moves_data = true});
  ops.push_back({.op_type = "GatherElements",
                 .domain = "",
                 .min_opset = 11,
                 .max_opset = 21,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer_gather_elements,
                 .evaluate = evaluate_gather_elements,
                 .moves_data = true});
}

}  // namespace quantize
