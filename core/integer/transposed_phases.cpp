// The arithmetic of phases: which tap of a ConvTranspose goes where.
#include "core/integer/transposed_phases.h"

#include <algorithm>

#include "core/fusion/patterns.h"
#include "core/ops/support/window.h"

namespace quantize {

namespace {

std::optional<TransposedPhases::Axis> phases_of(const WindowAxis& window) {
  TransposedPhases::Axis axis{window.kernel, window.pad_begin};
  int64_t last = 0;
  bool found = false;
  for (int64_t phase = 0; phase < window.stride; ++phase)
    for (int64_t k = 0; k < window.kernel; ++k) {
      const int64_t distance = phase + window.pad_begin - k;
      if (distance % window.stride != 0) continue;
      const int64_t place = distance / window.stride;
      axis.first = found ? std::min(axis.first, place) : place;
      last = found ? std::max(last, place) : place;
      found = true;
    }
  if (axis.first > 0 || last < 0) return std::nullopt;  // would need a crop
  axis.taps = last - axis.first + 1;
  return axis;
}

}  // namespace

std::optional<TransposedPhases> phases_of(const Node& conv, Dims w) {
  if (!is_image_kernel(w) || conv.int_attribute("group", 1) != 1 || conv.has_attribute("output_shape"))
    return std::nullopt;
  constexpr int64_t kProbe = 64;  // any extent: without output_shape, padding does not depend on it
  const Window window = conv_transpose_window(conv, Shape{1, w[0], kProbe, kProbe}, w);
  const WindowAxis &h = window.height(), &v = window.width();
  if (h.stride != v.stride || h.dilation != 1 || v.dilation != 1 || h.in != h.stride * kProbe ||
      v.in != v.stride * kProbe)
    return std::nullopt;
  const auto rows = phases_of(h), columns = phases_of(v);
  if (!rows || !columns) return std::nullopt;
  const auto wasted = static_cast<double>(rows->taps * columns->taps * h.stride * v.stride) /
                      static_cast<double>(h.kernel * v.kernel);
  if (wasted >= 4) return std::nullopt;
  return TransposedPhases{h.stride, w[0], w[1], *rows, *columns};
}

Tensor TransposedPhases::weights(const Tensor& w) const {
  Tensor result(w.dtype(), {stride * stride * channels, in_channels, rows.taps, columns.taps});
  const auto* from = static_cast<const uint8_t*>(w.bytes());
  auto* to = static_cast<uint8_t*>(result.mutable_bytes());
  const uint8_t zero = w.dtype() == DataType::kU8 ? 128 : 0;
  for (int64_t phase = 0; phase < stride * stride; ++phase)
    for (int64_t m = 0; m < channels; ++m)
      for (int64_t c = 0; c < in_channels; ++c)
        for (int64_t t = 0; t < rows.taps * columns.taps; ++t) {
          const int64_t i = rows.tap_of(stride, phase / stride, t / columns.taps);
          const int64_t j = columns.tap_of(stride, phase % stride, t % columns.taps);
          const bool exists = i >= 0 && i < rows.kernel && j >= 0 && j < columns.kernel;
          *to++ = exists ? from[((c * channels + m) * rows.kernel + i) * columns.kernel + j] : zero;
        }
  return result;
}

Tensor TransposedPhases::repeat(const Tensor& per_channel) const {
  Tensor result(per_channel.dtype(), {stride * stride * channels});
  const auto bytes = static_cast<size_t>(channels) * size_of(per_channel.dtype());
  auto* to = static_cast<uint8_t*>(result.mutable_bytes());
  for (int64_t phase = 0; phase < stride * stride; ++phase, to += bytes)
    std::copy_n(static_cast<const uint8_t*>(per_channel.bytes()), bytes, to);
  return result;
}

std::map<std::string, Attribute> TransposedPhases::conv_attributes() const {
  return {{"kernel_shape", std::vector{rows.taps, columns.taps}},
          {"pads", std::vector{-rows.first, -columns.first, rows.first + rows.taps - 1,
                               columns.first + columns.taps - 1}}};
}

std::map<std::string, Attribute> TransposedPhases::spread_attributes() const {
  return {{"blocksize", stride}};
}

}  // namespace quantize
