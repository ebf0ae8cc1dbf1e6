// The coordinate transformations and kernels of ONNX Resize.
#include "core/ops/support/resample.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/ops/support/operands.h"

namespace quantize {

namespace {

using Coordinates = ResizeOptions::Coordinates;
using Mode = ResizeOptions::Mode;
using Nearest = ResizeOptions::Nearest;

template <typename Value, size_t kCount>
Value parse(const std::string& text, const char* attribute,
            const std::array<std::pair<const char*, Value>, kCount>& names) {
  for (const auto& [name, value] : names)
    if (text == name) return value;
  invalid_model("attribute '" + std::string(attribute) + "' is '" + text + "'");
}

Mode parse_mode(const std::string& text) {
  return parse<Mode, 4>(text, "mode",
                        {{{"nearest", Mode::kNearest},
                          {"linear", Mode::kLinear},
                          {"bilinear", Mode::kLinear},
                          {"cubic", Mode::kCubic}}});
}

Coordinates parse_coordinates(const std::string& text) {
  return parse<Coordinates, 7>(text, "coordinate_transformation_mode",
                               {{{"half_pixel", Coordinates::kHalfPixel},
                                 {"half_pixel_symmetric", Coordinates::kHalfPixelSymmetric},
                                 {"pytorch_half_pixel", Coordinates::kPytorchHalfPixel},
                                 {"align_corners", Coordinates::kAlignCorners},
                                 {"asymmetric", Coordinates::kAsymmetric},
                                 {"tf_half_pixel_for_nn", Coordinates::kTfHalfPixelForNn},
                                 {"tf_crop_and_resize", Coordinates::kTfCropAndResize}}});
}

Nearest parse_nearest(const std::string& text) {
  return parse<Nearest, 4>(text, "nearest_mode",
                           {{{"round_prefer_floor", Nearest::kRoundPreferFloor},
                             {"round_prefer_ceil", Nearest::kRoundPreferCeil},
                             {"floor", Nearest::kFloor},
                             {"ceil", Nearest::kCeil}}});
}

/// Where output position j lies among the input's elements. In float or double, as ONNX Runtime has it: ties
/// decide.
/// An axis of scale 1 is copied as ONNX Runtime copies it, whatever the formula of `coordinates` would give:
/// kTfCropAndResize and kTfHalfPixelForNn would move it.
float source_position(Coordinates coordinates, const ResizeAxis& axis, int64_t j) {
  const auto x = static_cast<float>(j), last = static_cast<float>(axis.in - 1);
  const auto out = static_cast<float>(axis.out);
  if (axis.scale == 1) return x;
  switch (coordinates) {
    case Coordinates::kHalfPixel:
      return (x + 0.5f) / axis.scale - 0.5f;
    case Coordinates::kHalfPixelSymmetric: {
      const auto in = static_cast<float>(axis.in);
      const float offset = in / 2 * (1 - out / (axis.scale * in));
      return static_cast<float>(offset + (x + 0.5) / axis.scale - 0.5);
    }
    case Coordinates::kPytorchHalfPixel:
      return axis.out > 1 ? (x + 0.5f) / axis.scale - 0.5f : 0;
    case Coordinates::kAlignCorners:
      return axis.out > 1 ? x * last / (out - 1) : 0;
    case Coordinates::kAsymmetric:
      return x / axis.scale;
    case Coordinates::kTfHalfPixelForNn:
      return (x + 0.5f) / axis.scale;
    case Coordinates::kTfCropAndResize:
      return axis.out > 1 ? axis.start * last + x * (axis.end - axis.start) * last / (out - 1)
                          : static_cast<float>(0.5 * (axis.start + axis.end) * last);
  }
  return x;
}

/// The nearest whole number. As in ONNX Runtime, a position within 1e-6 of the middle is the middle, which
/// kRoundPreferFloor and kRoundPreferCeil decide.
float nearest_to(Nearest mode, float x, bool shrinks) {
  constexpr float kMiddle = 1e-6f;
  const float below = std::floor(x), above_middle = x - below - 0.5f;
  const bool is_middle = std::abs(above_middle) <= kMiddle;
  switch (mode) {
    case Nearest::kRoundPreferFloor:
      return above_middle > 0 && !is_middle ? below + 1 : below;
    case Nearest::kRoundPreferCeil:
      return above_middle < 0 && !is_middle ? below : below + 1;
    case Nearest::kFloor:
      return below;
    case Nearest::kCeil:
      return std::ceil(x);
    case Nearest::kSimple:
      return shrinks ? std::ceil(x) : below;
  }
  return x;
}

int64_t clamp_to(float position, int64_t extent) {
  if (!(position > 0)) return 0;
  return position >= static_cast<float>(extent) ? extent - 1
                                                : std::min(static_cast<int64_t>(position), extent - 1);
}

/// Weight of an element at `distance` input elements (of the shrunken grid when antialiasing).
float kernel(const ResizeOptions& options, float distance) {
  const float x = std::abs(distance), a = options.cubic_a;
  if (options.mode == Mode::kLinear) return std::max(1 - x, 0.0f);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;  // Source: Keys (1981)
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/// The taps of one position x: all elements the kernel reaches, those outside read the edge or count nothing.
void append_taps(const ResizeOptions& options, const ResizeAxis& axis, float x, Taps& taps) {
  const float shrink = options.antialias ? std::min(axis.scale, 1.0f) : 1.0f;
  const float reach = (options.mode == Mode::kLinear ? 1.0f : 2.0f) / shrink;
  // Beyond the reach of the kernel the edge is all there is.
  const auto bounded = std::clamp(x, -reach - 1, static_cast<float>(axis.in) + reach);
  const auto first = static_cast<int64_t>(std::floor(bounded - reach)) + 1;
  const auto last = static_cast<int64_t>(std::ceil(bounded + reach)) - 1;
  const size_t begin = taps.index.size();
  float sum = 0;
  for (int64_t i = first; i <= last; ++i) {
    const bool outside = i < 0 || i >= axis.in;
    if (outside && options.exclude_outside) continue;
    taps.index.push_back(std::clamp<int64_t>(i, 0, axis.in - 1));
    taps.weight.push_back(kernel(options, (static_cast<float>(i) - bounded) * shrink));
    sum += taps.weight.back();
  }
  if (sum != 0 && (options.exclude_outside || options.antialias))
    for (size_t t = begin; t < taps.weight.size(); ++t) taps.weight[t] /= sum;
}

}  // namespace

ResizeOptions resize_options(const Node& node, int64_t opset) {
  ResizeOptions options;
  options.mode = parse_mode(node.string_attribute("mode", "nearest"));
  if (opset < 11) {
    options.coordinates = Coordinates::kAsymmetric;
    options.nearest = Nearest::kSimple;
    return options;
  }
  options.coordinates =
      parse_coordinates(node.string_attribute("coordinate_transformation_mode", "half_pixel"));
  options.nearest = parse_nearest(node.string_attribute("nearest_mode", "round_prefer_floor"));
  options.cubic_a = node.float_attribute("cubic_coeff_a", -0.75f);
  options.extrapolation = node.float_attribute("extrapolation_value", 0.0f);
  options.exclude_outside = node.int_attribute("exclude_outside", 0) != 0;
  options.antialias = node.int_attribute("antialias", 0) != 0;
  return options;
}

bool resizes_codes(const ResizeOptions& options) {
  return options.mode != Mode::kCubic && options.coordinates != Coordinates::kTfCropAndResize;
}

std::vector<int64_t> nearest_indices(const ResizeOptions& options, const ResizeAxis& axis) {
  std::vector<int64_t> indices;
  indices.reserve(static_cast<size_t>(axis.out));
  for (int64_t j = 0; j < axis.out; ++j) {
    const float x = source_position(options.coordinates, axis, j);
    indices.push_back(clamp_to(nearest_to(options.nearest, x, axis.scale < 1), axis.in));
  }
  return indices;
}

Taps resize_taps(const ResizeOptions& options, const ResizeAxis& axis) {
  Taps taps;
  for (int64_t j = 0; j < axis.out; ++j) {
    const float x = source_position(options.coordinates, axis, j);
    const bool outside = options.coordinates == Coordinates::kTfCropAndResize &&
                         !(x >= 0 && x <= static_cast<float>(axis.in - 1));
    if (!outside && options.mode == Mode::kNearest) {
      taps.index.push_back(clamp_to(nearest_to(options.nearest, x, axis.scale < 1), axis.in));
      taps.weight.push_back(1);
    } else if (!outside) {
      append_taps(options, axis, x, taps);
    }
    taps.begin.push_back(taps.index.size());
  }
  return taps;
}

}  // namespace quantize
