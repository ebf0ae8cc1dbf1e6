// DepthToSpace and SpaceToDepth: blocks of channels become blocks of pixels and back. Both are a transpose of
// the tensor seen with the block as axes of its own.
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

int64_t block_size(const Node& node) {
  const int64_t size = node.int_attribute("blocksize", 0);
  if (size < 1 || size > 65536) invalid_model("blocksize is " + std::to_string(size));
  return size;
}

void require_image(const std::optional<Shape>& x) {
  if (x && x->size() != 4) invalid_model("the input has shape " + to_string(*x) + " where NxCxHxW belongs");
}

int64_t divided(int64_t extent, int64_t divisor) {
  if (extent == kUnknownDim) return kUnknownDim;
  if (extent % divisor != 0)
    invalid_model("an extent of " + std::to_string(extent) + " does not divide into blocks");
  return extent / divisor;
}

int64_t multiplied(int64_t extent, int64_t factor) {
  int64_t product = kUnknownDim;
  if (extent != kUnknownDim && __builtin_mul_overflow(extent, factor, &product))
    invalid_model("an extent is too large");
  return product;
}

/// True if the channels that a block comes from, or becomes, are neighbours.
bool channel_major(const Node& node) {
  const std::string mode = node.string_attribute("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") invalid_model("attribute 'mode' is '" + mode + "'");
  return mode == "CRD";
}

void infer_depth_to_space(InferContext& context) {
  const int64_t b = block_size(context.node);
  channel_major(context.node);
  std::optional<Shape> y = context.shape(0);
  require_image(y);
  if (y) y = Shape{(*y)[0], divided((*y)[1], b * b), multiplied((*y)[2], b), multiplied((*y)[3], b)};
  context.set_output(0, context.input(0).dtype, std::move(y));
}

void infer_space_to_depth(InferContext& context) {
  const int64_t b = block_size(context.node);
  channel_major(context.node);
  std::optional<Shape> y = context.shape(0);
  require_image(y);
  if (y) y = Shape{(*y)[0], multiplied((*y)[1], b * b), divided((*y)[2], b), divided((*y)[3], b)};
  context.set_output(0, context.input(0).dtype, std::move(y));
}

/// Copies x, seen with the extents `axes`, so that y's axis i is axis order[i] of it.
void transpose_blocks(const EvaluateContext& context, const Shape& axes, const std::vector<size_t>& order) {
  const TensorView& x = context.inputs[0];
  const Shape from = strides_of(axes);
  Shape shape, strides;
  for (size_t axis : order) {
    shape.push_back(axes[axis]);
    strides.push_back(from[axis]);
  }
  copy_strided(shape, x.data, strides, context.outputs[0].data, size_of(x.dtype));
}

void evaluate_depth_to_space(const EvaluateContext& context) {
  const int64_t b = block_size(context.node);
  const Dims x = context.inputs[0].shape;
  const int64_t channels = x[1] / (b * b);
  if (channel_major(context.node))
    transpose_blocks(context, {x[0], channels, b, b, x[2], x[3]}, {0, 1, 4, 2, 5, 3});
  else
    transpose_blocks(context, {x[0], b, b, channels, x[2], x[3]}, {0, 3, 4, 1, 5, 2});
}

void evaluate_space_to_depth(const EvaluateContext& context) {
  const int64_t b = block_size(context.node);
  const Dims x = context.inputs[0].shape;
  const std::vector<size_t> order = channel_major(context.node) ? std::vector<size_t>{0, 1, 3, 5, 2, 4}
                                                                : std::vector<size_t>{0, 3, 5, 1, 2, 4};
  transpose_blocks(context, {x[0], x[1], x[2] / b, b, x[3] / b, b}, order);
}

OpDef rearrangement(const char* op_type, void (*infer)(InferContext&),
                    void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = 7,
          .max_opset = kNewestOpset,
          .infer = infer,
          .evaluate = evaluate,
          .moves_data = true};
}

}  // namespace

void add_depth_to_space(std::vector<OpDef>& ops) {
  ops.push_back(rearrangement("DepthToSpace", infer_depth_to_space, evaluate_depth_to_space));
  ops.push_back(rearrangement("SpaceToDepth", infer_space_to_depth, evaluate_space_to_depth));
}

}  // namespace quantize
