// InstanceNormalization, GroupNormalization and LayerNormalization: (x - mean) / sqrt(variance + epsilon)
// over a contiguous block, then scale and bias.
#include "core/ops/normalization.h"

#include "core/error.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

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
struct Runs {
  int64_t block, run, period;
};

void normalize(const EvaluateContext& context, const Runs& runs, int64_t begin, int64_t end) {
  const float epsilon = context.node.float_attribute("epsilon", 1e-5f);
  std::vector<float> operands[2];  // scale and bias of a block, element by element
  for (auto& operand : operands) operand.resize(static_cast<size_t>(runs.block));
  for (int64_t b = begin; b < end; ++b) {
    for (int64_t i = 0; i < runs.block; i += runs.run) {
      const int64_t c = (b * runs.block + i) / runs.run % runs.period;
      for (size_t o = 0; o < 2; ++o)
        std::fill_n(operands[o].begin() + i, runs.run, context.inputs[1 + o].as<float>()[c]);
    }
    const float* from = context.inputs[0].as<float>() + b * runs.block;
    float* to = context.outputs[0].as<float>() + b * runs.block;
    context.kernels.layer_norm_f32(
        {from, operands[0].data(), operands[1].data(), to, static_cast<size_t>(runs.block), epsilon});
  }
}

int64_t count_instances(const Node&, Dims x) {
  return x[0] * x[1];
}

void normalize_instances(const EvaluateContext& context, int64_t begin, int64_t end) {
  const Dims x = context.inputs[0].shape;
  const int64_t pixels = extent_product(x, 2, x.size());
  normalize(context, {pixels, pixels, x[1]}, begin, end);
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

int64_t count_groups(const Node& node, Dims x) {
  return x[0] * groups_of(node);
}

void normalize_groups(const EvaluateContext& context, int64_t begin, int64_t end) {
  const Dims x = context.inputs[0].shape;
  const int64_t groups = groups_of(context.node);
  const int64_t pixels = extent_product(x, 2, x.size());
  const int64_t block = x[1] / groups * pixels;
  normalize(context, context.opset < 21 ? Runs{block, block, groups} : Runs{block, pixels, x[1]}, begin, end);
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

int64_t count_layers(const Node& node, Dims x) {
  return layer_blocks(node, x).blocks;
}

void normalize_layers(const EvaluateContext& context, int64_t begin, int64_t end) {
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

constexpr NormalizationBlocks kInstances{"InstanceNormalization", count_instances, normalize_instances},
    kGroups{"GroupNormalization", count_groups, normalize_groups},
    kLayers{"LayerNormalization", count_layers, normalize_layers};
constexpr const NormalizationBlocks* kAll[] = {&kInstances, &kGroups, &kLayers};

template <const NormalizationBlocks& kBlocks>
void evaluate_blocks(const EvaluateContext& context) {
  if (context.inputs[0].size() == 0) return;
  kBlocks.normalize(context, 0, kBlocks.count(context.node, context.inputs[0].shape));
}

template <const NormalizationBlocks& kBlocks>
OpDef normalization(int min_opset, size_t min_inputs, size_t max_outputs, void (*infer)(InferContext&)) {
  return {.op_type = kBlocks.op_type,
          .domain = "",
          .min_opset = min_opset,
          .max_opset = kNewestOpset,
          .min_inputs = min_inputs,
          .max_inputs = 3,
          .max_outputs = max_outputs,
          .infer = infer,
          .evaluate = evaluate_blocks<kBlocks>};
}

}  // namespace

std::span<const NormalizationBlocks* const> all_normalization_blocks() {
  return kAll;
}

void add_normalization(std::vector<OpDef>& ops) {
  ops.push_back(normalization<kGroups>(18, 3, 1, infer_group));
  ops.push_back(normalization<kInstances>(7, 3, 1, infer_instance));
  ops.push_back(normalization<kLayers>(17, 2, 3, infer_layer));
}

}  // namespace quantize
