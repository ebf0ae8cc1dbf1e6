// Layout and filling of padded images.
#include "core/engine/steps/padded_image.h"

#include <algorithm>

namespace quantize {

PaddedImage::Axis::Axis(const WindowAxis& axis) : window(axis) {
  for (int64_t tap = 0; tap < axis.kernel && tap < axis.stride; ++tap) {
    const int64_t phase = tap * axis.dilation % axis.stride;
    if (std::find(phases.begin(), phases.end(), phase) == phases.end()) phases.push_back(phase);
  }
  extent = axis.out + (axis.kernel - 1) * axis.dilation / axis.stride;
}

size_t PaddedImage::Axis::phase_of(int64_t tap) const {
  const int64_t phase = tap * window.dilation % window.stride;
  return static_cast<size_t>(std::find(phases.begin(), phases.end(), phase) - phases.begin());
}

PaddedImage::PaddedImage(const Window& window)
    : depth_(window.depth()), height_(window.height()), width_(window.width()) {
  in_place = std::all_of(window.axes.begin(), window.axes.end(), [](const WindowAxis& axis) {
    return axis.stride == 1 && axis.pad_begin == 0 && axis.pad_end == 0;
  });
  const auto phases = [](const Axis& axis) { return static_cast<int64_t>(axis.phases.size()); };
  const int64_t phase_size = element_count(Shape{depth_.extent, height_.extent, width_.extent});
  size =
      static_cast<size_t>(element_count(Shape{phases(depth_), phases(height_), phases(width_), phase_size}));
  pitch = static_cast<size_t>(width_.extent);
  plane_rows = static_cast<size_t>(height_.extent);
  for (int64_t d = 0; d < window.depth().kernel; ++d)
    for (int64_t h = 0; h < window.height().kernel; ++h)
      for (int64_t w = 0; w < window.width().kernel; ++w) {
        const size_t phase =
            (depth_.phase_of(d) * height_.phases.size() + height_.phase_of(h)) * width_.phases.size() +
            width_.phase_of(w);
        const int64_t row = d * window.depth().dilation / window.depth().stride * height_.extent +
                            h * window.height().dilation / window.height().stride;
        const int64_t column = w * window.width().dilation / window.width().stride;
        taps.push_back(phase * static_cast<size_t>(phase_size) +
                       static_cast<size_t>(row * width_.extent + column));
      }
}

void PaddedImage::fill(const float* channel, float* padded, int64_t first_row, int64_t last_row) const {
  last_row += height_.extent - height_.window.out;  // rows below that the last taps reach
  for (size_t pd = 0; pd < depth_.phases.size(); ++pd)
    for (size_t ph = 0; ph < height_.phases.size(); ++ph)
      for (size_t pw = 0; pw < width_.phases.size(); ++pw)
        for (int64_t d = 0; d < depth_.extent; ++d, padded += plane_rows * pitch)
          for (int64_t h = first_row; h < last_row; ++h) {
            const int64_t z = depth_.source(pd, d), y = height_.source(ph, h);
            const bool inside = z >= 0 && z < depth_.window.in && y >= 0 && y < height_.window.in;
            fill_row(inside ? channel + (z * height_.window.in + y) * width_.window.in : nullptr, pw,
                     padded + static_cast<size_t>(h) * pitch);
          }
}

void PaddedImage::fill_row(const float* row, size_t phase, float* padded) const {
  const WindowAxis& w = width_.window;
  if (row == nullptr) {
    std::fill_n(padded, width_.extent, 0.0f);
    return;
  }
  const int64_t shift = w.pad_begin - width_.phases[phase];  // element i holds column i * stride - shift
  const int64_t first = std::clamp<int64_t>((shift + w.stride - 1) / w.stride, 0, width_.extent);
  const int64_t last = std::clamp<int64_t>((w.in + shift + w.stride - 1) / w.stride, first, width_.extent);
  std::fill(padded, padded + first, 0.0f);
  with_constant_stride(w.stride, [&](auto stride) {
    for (int64_t i = first; i < last; ++i) padded[i] = row[i * stride - shift];
  });
  std::fill(padded + last, padded + width_.extent, 0.0f);
}

}  // namespace quantize
