// InstanceNormalization, GroupNormalization and LayerNormalization: (x - mean) / sqrt(variance + epsilon)
// over a contiguous block, then scale and bias.
#include "core/ops/normalization.h"

#include <cmath>

#include "core/error.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/lanes.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

struct Moments {
  float mean, inv_deviation;
};

/// Mean and 1 / sqrt(variance + epsilon) of n elements, in two passes.
Moments moments_of(const float* x, int64_t n, float epsilon) {
  const double mean = sum_terms(x, n, [](double value) { return value; }) / static_cast<double>(n);
  const double squares = sum_terms(x, n, [mean](double value) { return (value - mean) * (value - mean); });
  const double deviation = std::sqrt(squares / static_cast<double>(n) + double{epsilon});
  return {static_cast<float>(mean), static_cast<float>(1 / deviation)};
}

void require_channels(const std::optional<Shape>& x) {
  if (x && x->size() < 3) invalid_model("the input has shape " + to_string(*x) + " where NxCx... belongs");
}

void infer_instance(InferContext& context) {
  const auto x = context.shape(0);
  require_channels(x);
  for (size_t i = 0; i < 3; ++i) {
    require_type(context, i, kF32Only);
    if (i > 0) require_vector(context, i, x ? (*x)[1] : kUnknownDim);
  }
  infer_same_as_input(context);
}

/// Normalizes blocks of `block` elements; scale and bias belong to runs of `run` elements, `period` runs in
/// turn.
void normalize(const EvaluateContext& context, int64_t block, int64_t run, int64_t period) {
  const float epsilon = context.node.float_attribute("epsilon", 1e-5f);
  const float* x = context.inputs[0].as<float>();
  const float* scale = context.inputs[1].as<float>();
  const float* bias = context.inputs[2].as<float>();
  float* y = context.outputs[0].as<float>();
  const int64_t size = context.inputs[0].size();
  for (int64_t begin = 0; begin < size; begin += block) {
    const Moments moments = moments_of(x + begin, block, epsilon);
    for (int64_t i = begin; i < begin + block; i += run) {
      const int64_t c = i / run % period;
      const float factor = moments.inv_deviation * scale[c];
      const float shift = bias[c] - moments.mean * factor;
      for (int64_t k = i; k < i + run; ++k) y[k] = x[k] * factor + shift;
    }
  }
}

void evaluate_instance(const EvaluateContext& context) {
  const Dims x = context.inputs[0].shape;
  const int64_t pixels = extent_product(x, 2, x.size());
  normalize(context, pixels, pixels, x[1]);
}

int64_t groups_of(const Node& node) {
  const int64_t groups = node.int_attribute("num_groups", 0);
  if (groups < 1) invalid_model("num_groups is " + std::to_string(groups));
  return groups;
}

/// Scale and bias belong to groups in opset 18, to channels from opset 21.
void infer_group(InferContext& context) {
  const auto x = context.shape(0);
  require_channels(x);
  const int64_t groups = groups_of(context.node);
  const int64_t channels = x ? (*x)[1] : kUnknownDim;
  if (channels != kUnknownDim && channels % groups != 0)
    invalid_model(std::to_string(channels) + " channels do not divide into " + std::to_string(groups) +
                  " groups");
  for (size_t i = 0; i < 3; ++i) {
    require_type(context, i, kF32Only);
    if (i > 0) require_vector(context, i, context.opset < 21 ? groups : channels);
  }
  if (context.node.int_attribute("stash_type", 1) != 1)
    throw Error(ErrorKind::kUnsupported, "a stash_type other than f32 is not supported");
  infer_same_as_input(context);
}

void evaluate_group(const EvaluateContext& context) {
  const Dims x = context.inputs[0].shape;
  const int64_t groups = groups_of(context.node);
  const int64_t pixels = extent_product(x, 2, x.size());
  const int64_t block = x[1] / groups * pixels;
  if (context.opset < 21)
    normalize(context, block, block, groups);
  else
    normalize(context, block, pixels, x[1]);
}

size_t first_normalized_axis(const Node& node, size_t rank) {
  return static_cast<size_t>(normalize_axis(node.int_attribute("axis", -1), rank));
}

void infer_layer(InferContext& context) {
  const auto x = context.shape(0);
  for (size_t i = 0; i < 3; ++i) require_type(context, i, kF32Only);
  if (context.node.int_attribute("stash_type", 1) != 1)
    throw Error(ErrorKind::kUnsupported, "a stash_type other than f32 is not supported");
  infer_same_as_input(context);
  std::optional<Shape> statistics = x;
  if (x) {
    const size_t axis = first_normalized_axis(context.node, x->size());
    for (size_t i = axis; i < x->size(); ++i) (*statistics)[i] = 1;
    const Shape normalized(x->begin() + static_cast<std::ptrdiff_t>(axis), x->end());
    for (size_t i = 1; i < 3; ++i) {
      const auto shape = context.shape(i);
      if (shape && is_static(normalized) && is_static(*shape) && broadcast(*shape, normalized) != normalized)
        invalid_model("input " + std::to_string(i) + " does not broadcast to the normalized axes");
    }
  }
  context.set_output(1, DataType::kF32, statistics);
  context.set_output(2, DataType::kF32, statistics);
}

/// An operand of LayerNormalization with every normalized element spelled out: where it is already, or in
/// `values`.
const float* expanded(const TensorView& operand, Dims shape, float fallback, std::vector<float>& values) {
  if (operand && operand.size() == element_count(shape)) return operand.as<float>();
  values.assign(static_cast<size_t>(element_count(shape)), fallback);
  if (operand)
    copy_strided(shape, operand.data, broadcast_strides(operand.shape, shape), values.data(), sizeof(float));
  return values.data();
}

/// The blocks that one mean and one deviation belong to.
struct LayerBlocks {
  Dims normalized;
  int64_t block, blocks;
};

LayerBlocks layer_blocks(const Node& node, Dims x) {
  const Dims normalized = x.subspan(first_normalized_axis(node, x.size()));
  const int64_t block = element_count(normalized);
  return {normalized, block, block == 0 ? 0 : element_count(x) / block};
}

}  // namespace

int64_t layer_block_count(const Node& node, Dims x) {
  return layer_blocks(node, x).blocks;
}

void normalize_layer_blocks(const EvaluateContext& context, int64_t begin, int64_t end) {
  const float epsilon = context.node.float_attribute("epsilon", 1e-5f);
  const auto [normalized, block, all] = layer_blocks(context.node, context.inputs[0].shape);
  std::vector<float> scale_values, bias_values;
  const float* scale = expanded(context.inputs[1], normalized, 1, scale_values);
  const float* bias = expanded(context.input(2), normalized, 0, bias_values);
  for (int64_t b = begin; b < end; ++b) {
    const float* from = context.inputs[0].as<float>() + b * block;
    float* to = context.outputs[0].as<float>() + b * block;
    const RowMoments moments =
        context.kernels.layer_norm_f32({from, scale, bias, to, static_cast<size_t>(block), epsilon});
    const float statistics[2] = {moments.mean, moments.inv_deviation};
    for (size_t i = 1; i < 3 && i < context.outputs.size(); ++i)
      if (context.outputs[i]) context.outputs[i].as<float>()[b] = statistics[i - 1];
  }
}

namespace {

void evaluate_layer(const EvaluateContext& context) {
  normalize_layer_blocks(context, 0, layer_block_count(context.node, context.inputs[0].shape));
}

OpDef normalization(const char* op_type, int min_opset, size_t min_inputs, size_t max_outputs,
                    void (*infer)(InferContext&), void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = min_opset,
          .max_opset = kNewestOpset,
          .min_inputs = min_inputs,
          .max_inputs = 3,
          .max_outputs = max_outputs,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace

void add_normalization(std::vector<OpDef>& ops) {
  ops.push_back(normalization("GroupNormalization", 18, 3, 1, infer_group, evaluate_group));
  ops.push_back(normalization("InstanceNormalization", 7, 3, 1, infer_instance, evaluate_instance));
  ops.push_back(normalization("LayerNormalization", 17, 2, 3, infer_layer, evaluate_layer));
}

}  // namespace quantize
