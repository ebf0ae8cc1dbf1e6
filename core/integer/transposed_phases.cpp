// The arithmetic of phases: which tap of a ConvTranspose goes where.
#include "core/integer/transposed_phases.h"

#include <algorithm>
#include <limits>

#include "core/fusion/patterns.h"
#include "core/ops/support/window.h"

namespace quantize {

namespace {

/// A window's `in` is the extent of the ConvTranspose's output, its `out` that of its input.
TransposedPhases::Axis phases_of(const WindowAxis& window) {
  const int64_t s = window.stride, places = (window.in + s - 1) / s;
  TransposedPhases::Axis axis{.kernel = window.kernel, .pad_begin = window.pad_begin};
  axis.grown = places - window.out;
  axis.cut = places * s - window.in;
  int64_t last = -axis.grown;  // so that the padding behind the input is not negative, as that before it
  for (int64_t phase = 0; phase < s; ++phase)
    for (int64_t k = 0; k < window.kernel; ++k) {
      const int64_t distance = phase + window.pad_begin - k;
      if (distance % s != 0) continue;
      axis.first = std::min(axis.first, distance / s);
      last = std::max(last, distance / s);
    }
  axis.taps = last - axis.first + 1;
  return axis;
}

}  // namespace

std::optional<TransposedPhases> phases_of(const Node& conv, const std::optional<Shape>& x, Dims w) {
  constexpr int64_t kProbe = 64;  // any extent: without output_shape, padding does not depend on it
  const int64_t groups = conv.int_attribute("group", 1);
  Shape image{1, w[0], kProbe, kProbe};
  if (conv.has_attribute("output_shape")) {
    if (!x || !is_static(*x)) return std::nullopt;
    image = *x;
  }
  if (!is_image_kernel(w) || groups < 1 || w[0] % groups != 0 || image.size() != 4) return std::nullopt;
  const Window window = conv_transpose_window(conv, image, w);
  const WindowAxis &h = window.height(), &v = window.width();
  if (h.stride != v.stride || h.dilation != 1 || v.dilation != 1) return std::nullopt;
  const TransposedPhases phases{h.stride, groups, w[0], w[1] * groups, phases_of(h), phases_of(v)};
  const auto wasted = static_cast<double>(phases.rows.taps * phases.columns.taps * h.stride * v.stride) /
                      static_cast<double>(h.kernel * v.kernel);
  if (wasted >= 4) return std::nullopt;
  return phases;
}

Tensor TransposedPhases::weights(const Tensor& w) const {
  const int64_t inputs = in_channels / groups, outputs = channels / groups, taps = rows.taps * columns.taps;
  Tensor result(w.dtype(), {stride * stride * channels, inputs, rows.taps, columns.taps});
  const auto* from = static_cast<const uint8_t*>(w.bytes());
  auto* const to = static_cast<uint8_t*>(result.mutable_bytes());
  const uint8_t zero = w.dtype() == DataType::kU8 ? 128 : 0;
  for (int64_t phase = 0; phase < stride * stride; ++phase)
    for (int64_t m = 0; m < channels; ++m)
      for (int64_t c = 0; c < inputs; ++c)
        for (int64_t t = 0; t < taps; ++t) {
          const int64_t i = rows.tap_of(stride, phase / stride, t / columns.taps);
          const int64_t j = columns.tap_of(stride, phase % stride, t % columns.taps);
          const bool exists = i >= 0 && i < rows.kernel && j >= 0 && j < columns.kernel;
          const int64_t kernel = (m / outputs * inputs + c) * outputs + m % outputs;
          to[(place(phase, m) * inputs + c) * taps + t] =
              exists ? from[(kernel * rows.kernel + i) * columns.kernel + j] : zero;
        }
  return result;
}

Tensor TransposedPhases::repeat(const Tensor& per_channel) const {
  Tensor result(per_channel.dtype(), {stride * stride * channels});
  const size_t width = size_of(per_channel.dtype());
  const auto* from = static_cast<const uint8_t*>(per_channel.bytes());
  auto* const to = static_cast<uint8_t*>(result.mutable_bytes());
  for (int64_t phase = 0; phase < stride * stride; ++phase)
    for (int64_t m = 0; m < channels; ++m)
      std::copy_n(from + static_cast<size_t>(m) * width, width,
                  to + static_cast<size_t>(place(phase, m)) * width);
  return result;
}

std::map<std::string, Attribute> TransposedPhases::conv_attributes() const {
  const auto pad_end = [](const Axis& axis) { return axis.grown + axis.first + axis.taps - 1; };
  std::map<std::string, Attribute> attributes{
      {"kernel_shape", std::vector{rows.taps, columns.taps}},
      {"pads", std::vector{-rows.first, -columns.first, pad_end(rows), pad_end(columns)}}};
  if (groups != 1) attributes["group"] = groups;
  return attributes;
}

std::map<std::string, Attribute> TransposedPhases::spread_attributes() const {
  std::map<std::string, Attribute> attributes{{"blocksize", stride}};
  if (groups != 1) attributes["mode"] = std::string("CRD");
  return attributes;
}

std::optional<std::vector<int64_t>> TransposedPhases::ends() const {
  if (rows.cut == 0 && columns.cut == 0) return std::nullopt;
  const auto end = [](const Axis& axis) {
    return axis.cut == 0 ? std::numeric_limits<int64_t>::max() : -axis.cut;
  };
  return std::vector{end(rows), end(columns)};
}

}  // namespace quantize
