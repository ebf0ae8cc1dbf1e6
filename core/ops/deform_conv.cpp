// DeformConv: a convolution whose taps are moved by offsets that another node computed, and weighted by its mask.
#include <cmath>

#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"
#include "core/ops/support/window.h"

namespace quantize {

namespace {

enum Input : size_t { kX, kWeights, kOffset, kBias, kMask };

int64_t positive(const Node& node, const char* name) {
  const int64_t value = node.int_attribute(name, 1);
  require(value >= 1, "attribute '" + std::string(name) + "' is " + std::to_string(value));
  return value;
}

void check(const Node& node, const Shape& x, const Shape& w) {
  require(x.size() == 4 && w.size() == 4, "DeformConv of other than two spatial axes is not supported");
  const int64_t group = positive(node, "group"), offset_group = positive(node, "offset_group");
  require(
      compatible(x[1], element_count(Shape{w[1], group})) && w[0] % group == 0 && x[1] % offset_group == 0,
      "an input of shape " + to_string(x) + " and weights of shape " + to_string(w) + " do not fit in " +
          std::to_string(group) + " groups");
}

void infer(InferContext& context) {
  require_f32(context);
  const auto x = context.shape(kX), w = context.shape(kWeights), offset = context.shape(kOffset),
             mask = context.shape(kMask);
  if (!x || !w || !is_static(*x) || !is_static(*w))
    return context.set_output(0, DataType::kF32, std::nullopt);
  check(context.node, *x, *w);
  const Shape y = conv_window(context.node, *x, *w).output_shape((*x)[0], (*w)[0]);
  const int64_t taps = element_count(Shape{positive(context.node, "offset_group"), (*w)[2], (*w)[3]});
  require(!offset || !is_static(*offset) || *offset == Shape{(*x)[0], 2 * taps, y[2], y[3]},
          "offsets of shape " + (offset ? to_string(*offset) : "") + " do not fit an output of shape " +
              to_string(y));
  require(!mask || !is_static(*mask) || *mask == Shape{(*x)[0], taps, y[2], y[3]},
          "a mask of shape " + (mask ? to_string(*mask) : "") + " does not fit an output of shape " +
              to_string(y));
  require_vector(context, kBias, (*w)[0]);
  context.set_output(0, DataType::kF32, y);
}

/// The image at (y, x) between its elements; zeros stand around it.
float sample(const float* image, int64_t height, int64_t width, float y, float x) {
  if (!(y > -1 && y < static_cast<float>(height) && x > -1 && x < static_cast<float>(width))) return 0;
  const auto top = static_cast<int64_t>(std::floor(y)), left = static_cast<int64_t>(std::floor(x));
  const float down = y - static_cast<float>(top), right = x - static_cast<float>(left);
  const auto at = [&](int64_t i, int64_t j) {
    return i >= 0 && i < height && j >= 0 && j < width ? image[i * width + j] : 0.0f;
  };
  return (1 - down) * ((1 - right) * at(top, left) + right * at(top, left + 1)) +
         down * ((1 - right) * at(top + 1, left) + right * at(top + 1, left + 1));
}

/// The moved taps of one input channel at every output position: [taps][out], masked.
class Taps {
 public:
  Taps(const EvaluateContext& context, const Window& window)
      : context_(context),
        window_(window),
        groups_(positive(context.node, "offset_group")),
        taps_(window.kernel_size()),
        out_(window.out_size()),
        values(static_cast<size_t>(taps_ * out_)) {}

  void read(int64_t n, int64_t channel) {
    const Dims x = context_.inputs[kX].shape;
    const float* image = context_.inputs[kX].as<float>() + (n * x[1] + channel) * x[2] * x[3];
    const int64_t first = (n * groups_ + channel / (x[1] / groups_)) * taps_;
    const float* offsets = context_.inputs[kOffset].as<float>();
    const float* mask = context_.input(kMask) ? context_.inputs[kMask].as<float>() : nullptr;
    const WindowAxis &h = window_.height(), &w = window_.width();
    for (int64_t t = 0; t < taps_; ++t)
      for (int64_t o = 0; o < out_; ++o) {
        const float y = static_cast<float>(h.start(o / w.out) + t / w.kernel * h.dilation) +
                        offsets[((first + t) * 2) * out_ + o];
        const float x_place = static_cast<float>(w.start(o % w.out) + t % w.kernel * w.dilation) +
                              offsets[((first + t) * 2 + 1) * out_ + o];
        const float weight = mask == nullptr ? 1 : mask[(first + t) * out_ + o];
        values[static_cast<size_t>(t * out_ + o)] = weight * sample(image, x[2], x[3], y, x_place);
      }
  }

 private:
  const EvaluateContext& context_;
  const Window& window_;
  int64_t groups_, taps_, out_;

 public:
  std::vector<float> values;
};

void evaluate(const EvaluateContext& context) {
  const TensorView &x = context.inputs[kX], &w = context.inputs[kWeights], &y = context.outputs[0];
  const Window window = conv_window(context.node, x.shape, w.shape);
  const int64_t group = positive(context.node, "group"), inputs = w.shape[1], outputs = w.shape[0] / group;
  const int64_t taps = window.kernel_size(), out = window.out_size();
  float* to = context.outputs[0].as<float>();
  for (int64_t i = 0; i < y.size(); ++i)
    to[i] = context.input(kBias) ? context.inputs[kBias].as<float>()[i / out % w.shape[0]] : 0.0f;
  Taps moved(context, window);
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t c = 0; c < x.shape[1]; ++c) {
      moved.read(n, c);
      const int64_t g = c / inputs;
      for (int64_t m = g * outputs; m < (g + 1) * outputs; ++m) {
        const float* weights = w.as<float>() + (m * inputs + c % inputs) * taps;
        float* row = to + (n * w.shape[0] + m) * out;
        for (int64_t t = 0; t < taps; ++t)
          for (int64_t o = 0; o < out; ++o)
            row[o] += weights[t] * moved.values[static_cast<size_t>(t * out + o)];
      }
    }
}

}  // namespace

void add_deform_conv(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "DeformConv",
                 .domain = "",
                 .min_opset = 19,
                 .max_opset = kNewestOpset,
                 .min_inputs = 3,
                 .max_inputs = 5,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
