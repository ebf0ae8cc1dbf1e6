// Conv: 1 to 3 spatial axes, groups, dilations, padding; in plain loops. conv_compile.cpp has the fast form.
#include <string>

#include "core/error.h"
#include "core/ops/conv.h"
#include "core/ops/require.h"
#include "core/ops/window.h"

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
  check_extents(*x, *w, context.node.int_attribute("group", 1));
  require(!bias || (bias->size() == 1 && compatible((*bias)[0], (*w)[0])),
          "the bias does not have one element per output channel");
  const Window window = conv_window(context.node, *x, *w);
  context.set_output(0, context.input(0).dtype, window.output_shape((*x)[0], (*w)[0]));
}

/// One output element: the sum over the taps of its window that lie inside the image.
float convolve(const Window& window, const float* x, const float* w, int64_t channels,
               const int64_t (&o)[3]) {
  const auto& [d, h, v] = window.axes;
  float sum = 0;
  for (int64_t c = 0; c < channels; ++c, x += window.in_size(), w += window.kernel_size())
    for (int64_t kd = d.first_tap(o[0]); kd < d.last_tap(o[0]); ++kd)
      for (int64_t kh = h.first_tap(o[1]); kh < h.last_tap(o[1]); ++kh)
        for (int64_t kw = v.first_tap(o[2]); kw < v.last_tap(o[2]); ++kw) {
          const int64_t in_row = (d.start(o[0]) + kd * d.dilation) * h.in + h.start(o[1]) + kh * h.dilation;
          sum += w[(kd * h.kernel + kh) * v.kernel + kw] * x[in_row * v.in + v.start(o[2]) + kw * v.dilation];
        }
  return sum;
}

void evaluate(const EvaluateContext& context) {
  const TensorView x = context.inputs[0], w = context.inputs[1], bias = context.input(2);
  const Window window = conv_window(context.node, x.shape, w.shape);
  const int64_t group = context.node.int_attribute("group", 1);
  const int64_t outputs = w.shape[0], channels = w.shape[1];
  float* y = context.outputs[0].as<float>();
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t m = 0; m < outputs; ++m) {
      const int64_t first_channel = n * x.shape[1] + m / (outputs / group) * channels;
      const float* image = x.as<float>() + first_channel * window.in_size();
      const float* weights = w.as<float>() + m * channels * window.kernel_size();
      for (int64_t od = 0; od < window.depth().out; ++od)
        for (int64_t oh = 0; oh < window.height().out; ++oh)
          for (int64_t ow = 0; ow < window.width().out; ++ow)
            *y++ = convolve(window, image, weights, channels, {od, oh, ow}) +
                   (bias ? bias.as<float>()[m] : 0.0f);
    }
}

std::optional<WeightLayout> weight_layout(const Node& node, Dims shape) {
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

}  // namespace

void add_conv(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Conv",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = 21,
                 .min_inputs = 2,
                 .max_inputs = 3,
                 .infer = infer,
                 .evaluate = evaluate,
                 .quantization = QuantizationRule::kWeighted,
                 .weight_layout = weight_layout,
                 .compile = compile_conv,
                 .fuses_clamp = true});
}

}  // namespace quantize
