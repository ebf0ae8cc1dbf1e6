// CenterCropPad: the middle of a tensor, or the tensor in the middle of zeros. ReverseSequence: the first elements of
// each sequence in reverse.
#include <cstring>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

std::vector<int64_t> cropped_axes(const Node& node, size_t rank) {
  std::vector<int64_t> axes = node.ints_attribute("axes", {});
  if (axes.empty())
    for (size_t i = 0; i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
  return normalize_axes(axes, rank);
}

void infer_crop(InferContext& context) {
  require_type(context, 1, kIndexTypes);
  auto y = context.shape(0);
  const auto wanted = requested_shape(context, 1, 0);
  if (y) {
    const auto axes = cropped_axes(context.node, y->size());
    require(!wanted || wanted->extents.size() == axes.size(), "CenterCropPad has not one extent per axis");
    for (size_t i = 0; i < axes.size(); ++i)
      (*y)[static_cast<size_t>(axes[i])] = wanted ? wanted->extents[i] : kUnknownDim;
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

/// Half of what an axis loses stands before the middle, rounded down; half of what it gains, too.
void evaluate_crop(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const MutableTensorView& y = context.outputs[0];
  const Shape from = strides_of(x.shape), to = strides_of(y.shape);
  Shape shared;
  int64_t from_offset = 0, to_offset = 0;
  for (size_t i = 0; i < x.shape.size(); ++i) {
    const int64_t in = x.shape[i], out = y.shape[i];
    shared.push_back(std::min(in, out));
    from_offset += std::max<int64_t>(in - out, 0) / 2 * from[i];
    to_offset += std::max<int64_t>(out - in, 0) / 2 * to[i];
  }
  const size_t width = size_of(x.dtype);
  std::memset(y.data, 0, byte_count(y.dtype, y.shape));
  copy_strided(shared, static_cast<const std::byte*>(x.data) + static_cast<size_t>(from_offset) * width, from,
               static_cast<std::byte*>(y.data) + static_cast<size_t>(to_offset) * width, to, width);
}

/// The axes of time and batch: 0 and 1 in either order.
struct SequenceAxes {
  size_t time, batch;
};

SequenceAxes sequence_axes(const Node& node) {
  const int64_t time = node.int_attribute("time_axis", 0), batch = node.int_attribute("batch_axis", 1);
  require((time == 0 && batch == 1) || (time == 1 && batch == 0),
          "the axes of time and batch are " + std::to_string(time) + " and " + std::to_string(batch) +
              ", not 0 and 1 in either order");
  return {static_cast<size_t>(time), static_cast<size_t>(batch)};
}

void infer_reverse(InferContext& context) {
  const std::array kLengthTypes{DataType::kS64};
  require_type(context, 1, kLengthTypes);
  const SequenceAxes axes = sequence_axes(context.node);
  if (const auto x = context.shape(0)) {
    require(x->size() >= 2, "the input has shape " + to_string(*x) + ", which has no axes of time and batch");
    require_vector(context, 1, (*x)[axes.batch]);
  }
  infer_same_as_input(context);
}

void evaluate_reverse(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const SequenceAxes axes = sequence_axes(context.node);
  const std::vector<int64_t> lengths = to_integers(context.inputs[1]);
  const Shape strides = strides_of(x.shape);
  const auto block = static_cast<size_t>(extent_product(x.shape, 2, x.shape.size())) * size_of(x.dtype);
  for (int64_t b = 0; b < x.shape[axes.batch]; ++b) {
    const int64_t length = lengths[static_cast<size_t>(b)];
    require(length >= 0 && length <= x.shape[axes.time], "a sequence has length " + std::to_string(length));
    for (int64_t t = 0; t < x.shape[axes.time]; ++t) {
      const int64_t source = t < length ? length - 1 - t : t;
      const auto place = [&](int64_t time) {
        return static_cast<size_t>(time * strides[axes.time] + b * strides[axes.batch]) * size_of(x.dtype);
      };
      std::memcpy(static_cast<std::byte*>(context.outputs[0].data) + place(t),
                  static_cast<const std::byte*>(x.data) + place(source), block);
    }
  }
}

}  // namespace

void add_center_crop_pad(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "CenterCropPad",
                 .domain = "",
                 .min_opset = 18,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer_crop,
                 .evaluate = evaluate_crop});
  ops.push_back({.op_type = "ReverseSequence",
                 .domain = "",
                 .min_opset = 10,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer_reverse,
                 .evaluate = evaluate_reverse,
                 .moves_data = true});
}

}  // namespace quantize
