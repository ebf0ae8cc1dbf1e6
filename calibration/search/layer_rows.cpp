#include "calibration/search/layer_rows.h"

#include <algorithm>

#include "core/ops/support/element_types.h"
#include "core/ops/support/window.h"

namespace quantize {

namespace {

/// Where in one channel each tap of output position `position` of a Conv reads; -1: outside.
void find_taps(const Window& window, int64_t position, int64_t* places) {
  const WindowAxis &d = window.depth(), &h = window.height(), &w = window.width();
  const int64_t ox = position % w.out, oy = position / w.out % h.out, oz = position / (w.out * h.out);
  for (int64_t kz = 0; kz < d.kernel; ++kz)
    for (int64_t ky = 0; ky < h.kernel; ++ky)
      for (int64_t kx = 0; kx < w.kernel; ++kx) {
        const int64_t z = d.start(oz) + kz * d.dilation, y = h.start(oy) + ky * h.dilation,
                      x = w.start(ox) + kx * w.dilation;
        const bool inside = z >= 0 && z < d.in && y >= 0 && y < h.in && x >= 0 && x < w.in;
        *places++ = inside ? (z * h.in + y) * w.in + x : -1;
      }
}

/// True for a MatMul, and a Gemm whose input is not transposed: input channels lie along the last axis.
bool multiplies_rows(const WeightLayout& layout) {
  return layout.input_axis < 0;
}

/// True for a Conv, whose weights have the output channels first. (A ConvTranspose has the input channels first.)
bool multiplies_windows(const WeightLayout& layout) {
  return layout.input_axis == 1 && layout.channel_axis == 0;
}

}  // namespace

bool has_rows(const WeightLayout& layout) {
  return multiplies_rows(layout) || multiplies_windows(layout);
}

size_t rows_per_sample(const WeightLayout& layout, size_t samples) {
  const auto width = static_cast<size_t>(layout.input_channels() * layout.taps);
  const size_t wanted =
      std::clamp(kRowsPerInput * static_cast<size_t>(layout.inputs * layout.taps), kFewestRows, kMostRows);
  return std::max<size_t>(std::min(wanted, kMostRowElements / width) / std::max<size_t>(samples, 1), 1);
}

void take_rows(const RowSource& source, const Tensor& x, size_t first, size_t count, LayerRows& rows) {
  const WeightLayout& layout = source.layout;
  const int64_t channels = layout.input_channels(), taps = layout.taps;
  const bool is_conv = multiplies_windows(layout);
  Window window;
  if (is_conv)
    window = conv_window(source.layer, x.shape(), *source.graph.value(source.layer.inputs[1]).shape);
  const int64_t plane = is_conv ? window.in_size() : 1, positions = is_conv ? window.out_size() : 1;
  const int64_t images = x.size() / (channels * plane);
  std::vector<int64_t> image(count), place(count * static_cast<size_t>(taps), 0);
  for (size_t r = 0; r < count; ++r) {
    const int64_t at = static_cast<int64_t>(r) * images * positions / static_cast<int64_t>(count);
    image[r] = at / positions;
    if (is_conv) find_taps(window, at % positions, &place[r * static_cast<size_t>(taps)]);
  }
  const auto take = [&](const auto* codes) {
    for (int64_t c = 0; c < channels; ++c) {
      const float scale = source.params.scale_of(static_cast<size_t>(c));
      const int32_t zero = source.params.zero_point[source.params.per_tensor() ? 0 : static_cast<size_t>(c)];
      for (int64_t t = 0; t < taps; ++t) {
        float* to = &rows.x[static_cast<size_t>(c * taps + t) * rows.rows + first];
        for (size_t r = 0; r < count; ++r) {
          const int64_t from = place[r * static_cast<size_t>(taps) + static_cast<size_t>(t)];
          const int32_t code = from < 0 ? zero : codes[(image[r] * channels + c) * plane + from];
          to[r] = static_cast<float>(code - zero) * scale;
        }
      }
    }
  };
  visit_types<uint8_t, int8_t, uint16_t, int16_t>(source.params.dtype,
                                                  [&]<typename T>() { take(x.data<T>()); });
}

}  // namespace quantize
