// ConvTranspose: the gradient of Conv; every input element is spread over the window it belongs to.
#include <algorithm>
#include <string>

#include "core/ops/support/require.h"
#include "core/ops/support/window.h"

namespace quantize {

namespace {

/// The window with its extents turned back: the window reads the output of the ConvTranspose.
Shape output_shape(const Window& window, int64_t n, int64_t channels) {
  Shape shape = window.output_shape(n, channels);
  for (size_t i = 0; i < window.rank; ++i) shape[2 + i] = window.axes[3 - window.rank + i].in;
  return shape;
}

void infer(InferContext& context) {
  require_f32(context);
  const auto x = context.shape(0), w = context.shape(1), bias = context.shape(2);
  if (!x || !w) return context.set_output(0, context.input(0).dtype, std::nullopt);
  const int64_t group = context.node.int_attribute("group", 1);
  require(group >= 1, "attribute 'group' is " + std::to_string(group) + ", but must be at least 1");
  require(x->size() >= 3 && w->size() == x->size() && compatible((*x)[1], (*w)[0]) &&
              ((*w)[0] == kUnknownDim || (*w)[0] % group == 0),
          "an input of shape " + to_string(*x) + " and weights of shape " + to_string(*w) +
              " do not fit in " + std::to_string(group) + " groups");
  const int64_t channels = (*w)[1] == kUnknownDim ? kUnknownDim : element_count(Shape{(*w)[1], group});
  require(!bias || (bias->size() == 1 && compatible((*bias)[0], channels)),
          "the bias does not have one element per output channel");
  const Window window = conv_transpose_window(context.node, *x, *w);
  context.set_output(0, context.input(0).dtype, output_shape(window, (*x)[0], channels));
}

/// Adds one input channel times its kernel to one output channel.
void spread(const Window& window, const float* x, const float* w, float* y) {
  const auto& [d, h, v] = window.axes;
  for (int64_t id = 0; id < d.out; ++id)
    for (int64_t ih = 0; ih < h.out; ++ih)
      for (int64_t iw = 0; iw < v.out; ++iw, ++x)
        for (int64_t kd = d.first_tap(id); kd < d.last_tap(id); ++kd)
          for (int64_t kh = h.first_tap(ih); kh < h.last_tap(ih); ++kh) {
            const int64_t row = (d.start(id) + kd * d.dilation) * h.in + h.start(ih) + kh * h.dilation;
            for (int64_t kw = v.first_tap(iw); kw < v.last_tap(iw); ++kw)
              y[row * v.in + v.start(iw) + kw * v.dilation] += *x * w[(kd * h.kernel + kh) * v.kernel + kw];
          }
}

void evaluate(const EvaluateContext& context) {
  const TensorView x = context.inputs[0], w = context.inputs[1], bias = context.input(2);
  const Window window = conv_transpose_window(context.node, x.shape, w.shape);
  const int64_t group = context.node.int_attribute("group", 1);
  const int64_t outputs = w.shape[1], channels = x.shape[1] / group;  // of one group
  float* y = context.outputs[0].as<float>();
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t g = 0; g < group; ++g)
      for (int64_t m = 0; m < outputs; ++m, y += window.in_size()) {
        std::fill_n(y, window.in_size(), bias ? bias.as<float>()[g * outputs + m] : 0.0f);
        for (int64_t c = g * channels; c < (g + 1) * channels; ++c)
          spread(window, x.as<float>() + (n * x.shape[1] + c) * window.out_size(),
                 w.as<float>() + (c * outputs + m) * window.kernel_size(), y);
      }
}

std::optional<WeightLayout> weight_layout(const Node& node, Dims shape) {
  WeightLayout layout;
  layout.groups = node.int_attribute("group", 1);
  if (shape.size() < 3 || layout.groups < 1 || shape[0] % layout.groups != 0) return std::nullopt;
  layout.outputs = shape[1];
  layout.inputs = shape[0] / layout.groups;
  layout.taps = element_count(shape.subspan(2));
  layout.output_stride = layout.taps;
  layout.input_stride = layout.outputs * layout.taps;
  layout.group_stride = layout.inputs * layout.input_stride;
  layout.channel_axis = 1;
  for (int64_t stride : node.ints_attribute("strides", {})) layout.uses /= static_cast<double>(stride);
  return layout;
}

}  // namespace

void add_conv_transpose(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "ConvTranspose",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 3,
                 .infer = infer,
                 .evaluate = evaluate,
                 .weight_layout = weight_layout});
}

}  // namespace quantize
