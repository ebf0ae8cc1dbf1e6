// DeformConv: a convolution whose taps are moved by offsets that another node computed, and weighted by its mask.
#include "core/ops/deform_conv.h"

#include <cmath>

#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"

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

/// The image at the corner (top, left), between its elements; zeros stand around it.
float blend_at_border(const float* image, int64_t height, int64_t width, const MovedTap& tap) {
  const auto at = [&](int64_t i, int64_t j) {
    return i >= 0 && i < height && j >= 0 && j < width ? image[i * width + j] : 0.0f;
  };
  return (1 - tap.down) * ((1 - tap.right) * at(tap.top, tap.left) + tap.right * at(tap.top, tap.left + 1)) +
         tap.down * ((1 - tap.right) * at(tap.top + 1, tap.left) + tap.right * at(tap.top + 1, tap.left + 1));
}

void evaluate(const EvaluateContext& context) {
  const TensorView &x = context.inputs[kX], &w = context.inputs[kWeights], &y = context.outputs[0];
  const MovedTaps moved(context.node, x.shape, w.shape);
  const int64_t group = positive(context.node, "group"), inputs = w.shape[1], outputs = w.shape[0] / group;
  const int64_t taps = moved.taps(), out = moved.places();
  float* to = context.outputs[0].as<float>();
  for (int64_t i = 0; i < y.size(); ++i)
    to[i] = context.input(kBias) ? context.inputs[kBias].as<float>()[i / out % w.shape[0]] : 0.0f;
  std::vector<float> values(static_cast<size_t>(taps * out));
  std::vector<MovedTap> found;
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t c = 0; c < x.shape[1]; ++c) {
      if (c % moved.channels() == 0) found = moved.find(context, n, c / moved.channels(), 0, out);
      moved.read(context, n, c, found, values.data());
      const int64_t g = c / inputs;
      for (int64_t m = g * outputs; m < (g + 1) * outputs; ++m) {
        const float* weights = w.as<float>() + (m * inputs + c % inputs) * taps;
        float* row = to + (n * w.shape[0] + m) * out;
        for (int64_t t = 0; t < taps; ++t)
          for (int64_t o = 0; o < out; ++o) row[o] += weights[t] * values[static_cast<size_t>(t * out + o)];
      }
    }
}

}  // namespace

MovedTaps::MovedTaps(const Node& node, Dims x, Dims weights)
    : window_(conv_window(node, x, weights)),
      groups_(positive(node, "offset_group")),
      channels_(x[1] / groups_) {}

std::vector<MovedTap> MovedTaps::find(const EvaluateContext& context, int64_t n, int64_t group, int64_t begin,
                                      int64_t end) const {
  const int64_t first = (n * groups_ + group) * taps(), out = places();
  const float* offsets = context.inputs[kOffset].as<float>();
  const float* mask = context.input(kMask) ? context.inputs[kMask].as<float>() : nullptr;
  const WindowAxis &h = window_.height(), &w = window_.width();
  std::vector<MovedTap> found;
  found.reserve(static_cast<size_t>(taps() * (end - begin)));
  for (int64_t t = 0; t < taps(); ++t) {
    const float* of_tap = offsets + (first + t) * 2 * out;
    int64_t row = begin / w.out, column = begin % w.out;
    for (int64_t o = begin; o < end; ++o) {
      const float y = static_cast<float>(h.start(row) + t / w.kernel * h.dilation) + of_tap[o];
      const float x = static_cast<float>(w.start(column) + t % w.kernel * w.dilation) + of_tap[out + o];
      found.push_back(tap_at(y, x, mask == nullptr ? 1 : mask[(first + t) * out + o]));
      if (++column == w.out) {
        column = 0;
        ++row;
      }
    }
  }
  return found;
}

MovedTap MovedTaps::tap_at(float y, float x, float weight) const {
  const int64_t height = window_.height().in, width = window_.width().in;
  MovedTap tap;
  tap.weight = weight;
  if (!(y > -1 && y < static_cast<float>(height) && x > -1 && x < static_cast<float>(width))) return tap;
  tap.top = static_cast<int64_t>(std::floor(y));
  tap.left = static_cast<int64_t>(std::floor(x));
  tap.down = y - static_cast<float>(tap.top);
  tap.right = x - static_cast<float>(tap.left);
  const bool inside = tap.top >= 0 && tap.top + 1 < height && tap.left >= 0 && tap.left + 1 < width;
  tap.where = inside ? MovedTap::Where::kInside : MovedTap::Where::kBorder;
  return tap;
}

void MovedTaps::read(const EvaluateContext& context, int64_t n, int64_t channel,
                     std::span<const MovedTap> found, float* values) const {
  using Where = MovedTap::Where;
  const Dims x = context.inputs[kX].shape;
  const int64_t height = x[2], width = x[3];
  const float* image = context.inputs[kX].as<float>() + (n * x[1] + channel) * height * width;
  for (const MovedTap& tap : found) {
    float value = 0;
    if (tap.where == Where::kInside) {
      const float *top = image + tap.top * width + tap.left, *bottom = top + width;
      value = (1 - tap.down) * ((1 - tap.right) * top[0] + tap.right * top[1]) +
              tap.down * ((1 - tap.right) * bottom[0] + tap.right * bottom[1]);
    } else if (tap.where == Where::kBorder) {
      value = blend_at_border(image, height, width, tap);
    }
    *values++ = tap.weight * value;
  }
}

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
