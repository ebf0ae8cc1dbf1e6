// Conv: 1 to 3 spatial axes, groups, dilations, padding; in plain loops.
#include <string>

#include "core/error.h"
#include "core/ops/conv.h"
#include "core/ops/support/require.h"
#include "core/ops/support/window.h"

namespace quantize {

namespace {

void check_extents(Dims x, Dims w, int64_t group) {
  require(group >= 1, "attribute 'group' is " + std::to_string(group) + ", but must be at least 1");
  require(x.size() >= 3 && w.size() == x.size(),
          "an input of shape " + to_string(x) + " and weights of shape " + to_string(w) + " do not fit");
  const int64_t channels = w[1] == kUnknownDim ? kUnknownDim : element_count(Shape{w[1], group});
  require(compatible(x[1], channels) && (w[0] == kUnknownDim || w[0] % group == 0),
          "an input of shape " + to_string(x) + " and weights of shape " + to_string(w) + " do not fit in " +
              std::to_string(group) + " groups");
}

void infer(InferContext& context) {
  require_f32(context);
  const auto x = context.shape(0), w = context.shape(1), bias = context.shape(2);
  if (!x || !w) return context.set_output(0, context.input(0).dtype, std::nullopt);
  context.set_output(0, context.input(0).dtype, conv_output_shape(context.node, *x, *w, bias));
}

void evaluate(const EvaluateContext& context) {
  const TensorView x = context.inputs[0], w = context.inputs[1], bias = context.input(2);
  float* y = context.outputs[0].as<float>();
  convolve<float>(
      context.node, x.shape, w.shape, x.as<float>(), w.as<float>(),
      [&](float sum, int64_t channel) { *y++ = sum + (bias ? bias.as<float>()[channel] : 0.0f); });
}

}  // namespace

std::optional<WeightLayout> conv_weight_layout(const Node& node, Dims shape) {
  WeightLayout layout;
  layout.groups = node.int_attribute("group", 1);
  if (shape.size() < 3 || layout.groups < 1 || shape[0] % layout.groups != 0) return std::nullopt;
  layout.outputs = shape[0] / layout.groups;
  layout.inputs = shape[1];
  layout.taps = element_count(shape.subspan(2));
  layout.input_stride = layout.taps;
  layout.output_stride = layout.inputs * layout.taps;
  layout.group_stride = layout.outputs * layout.output_stride;
  return layout;
}

Shape conv_output_shape(const Node& node, Dims x, Dims w, const std::optional<Shape>& bias) {
  check_extents(x, w, node.int_attribute("group", 1));
  require(!bias || (bias->size() == 1 && compatible((*bias)[0], w[0])),
          "the bias does not have one element per output channel");
  return conv_window(node, x, w).output_shape(x[0], w[0]);
}

void add_conv(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Conv",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 3,
                 .infer = infer,
                 .evaluate = evaluate,
                 .weight_layout = conv_weight_layout});
}

}  // namespace quantize
