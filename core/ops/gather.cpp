// Gather: slices of the data at the indices, along an axis. GatherElements: one element per index. GatherND: slices at
// rows of indices, one index per axis. Negative indices count from the end.
#include <cstring>

#include "core/ops/support/element_types.h"
#include "core/ops/support/index.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

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

int64_t batch_axes(const Node& node) {
  const int64_t count = node.int_attribute("batch_dims", 0);
  if (count < 0 || count > 64) invalid_model("batch_dims is " + std::to_string(count));
  return count;
}

void infer_gather_nd(InferContext& context) {
  require_type(context, 1, kIndexTypes);
  const auto x = context.shape(0), indices = context.shape(1);
  const int64_t batch = batch_axes(context.node);
  std::optional<Shape> y;
  if (x && indices && !indices->empty() && indices->back() != kUnknownDim) {
    const int64_t depth = indices->back(), rank = static_cast<int64_t>(x->size());
    if (depth < 1 || batch >= static_cast<int64_t>(indices->size()) || batch > rank || depth > rank - batch)
      invalid_model("indices of shape " + to_string(*indices) + " do not fit data of shape " + to_string(*x));
    for (int64_t i = 0; i < batch; ++i) {
      const int64_t a = (*x)[static_cast<size_t>(i)], b = (*indices)[static_cast<size_t>(i)];
      if (a != b && a != kUnknownDim && b != kUnknownDim)
        invalid_model("indices of shape " + to_string(*indices) + " do not fit data of shape " +
                      to_string(*x));
    }
    y = Shape(indices->begin(), indices->end() - 1);
    y->insert(y->end(), x->begin() + batch + depth, x->end());
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

void evaluate_gather_nd(const EvaluateContext& context) {
  const TensorView &x = context.inputs[0], &rows = context.inputs[1];
  const auto batch = static_cast<size_t>(batch_axes(context.node));
  const auto depth = static_cast<size_t>(rows.shape.back());
  const std::vector<int64_t> indices = to_integers(rows);
  const Shape strides = strides_of(x.shape);
  const auto block =
      static_cast<size_t>(extent_product(x.shape, batch + depth, x.shape.size())) * size_of(x.dtype);
  const int64_t slice = extent_product(x.shape, batch, x.shape.size());
  const int64_t rows_per_batch = extent_product(rows.shape, batch, rows.shape.size() - 1);
  const auto* from = static_cast<const std::byte*>(x.data);
  auto* to = static_cast<std::byte*>(context.outputs[0].data);
  for (size_t row = 0; row < indices.size() / depth; ++row, to += block) {
    int64_t place = static_cast<int64_t>(row) / rows_per_batch * slice;
    for (size_t d = 0; d < depth; ++d)
      place += checked_index(indices[row * depth + d], x.shape[batch + d]) * strides[batch + d];
    std::memcpy(to, from + static_cast<size_t>(place) * size_of(x.dtype), block);
  }
}

}  // namespace

void add_gather(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Gather",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer_gather,
                 .evaluate = evaluate_gather,
                 .moves_data = true});
  ops.push_back({.op_type = "GatherElements",
                 .domain = "",
                 .min_opset = 11,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer_gather_elements,
                 .evaluate = evaluate_gather_elements,
                 .moves_data = true});
  ops.push_back({.op_type = "GatherND",
                 .domain = "",
                 .min_opset = 11,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer_gather_nd,
                 .evaluate = evaluate_gather_nd,
                 .moves_data = true});
}

}  // namespace quantize
