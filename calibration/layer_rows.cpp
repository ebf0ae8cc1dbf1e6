#include "calibration/layer_rows.h"

#include <algorithm>

#include "core/ops/window.h"

namespace quantize {

namespace {

/// The window of output position `position` of a Conv, all taps of one channel, zeros outside.
void copy_window(const float* plane, const Window& window, int64_t position, float* row) {
  const WindowAxis &d = window.depth(), &h = window.height(), &w = window.width();
  const int64_t ox = position % w.out, oy = position / w.out % h.out, oz = position / (w.out * h.out);
  for (int64_t kz = 0; kz < d.kernel; ++kz)
    for (int64_t ky = 0; ky < h.kernel; ++ky)
      for (int64_t kx = 0; kx < w.kernel; ++kx) {
        const int64_t z = d.start(oz) + kz * d.dilation, y = h.start(oy) + ky * h.dilation,
                      x = w.start(ox) + kx * w.dilation;
        const bool inside = z >= 0 && z < d.in && y >= 0 && y < h.in && x >= 0 && x < w.in;
        *row++ = inside ? plane[(z * h.in + y) * w.in + x] : 0.0f;
      }
}

}  // namespace

bool has_rows(const Node& layer) {
  return layer.op_type == "Conv" || layer.op_type == "MatMul" ||
         (layer.op_type == "Gemm" && layer.int_attribute("transA", 0) == 0);
}

size_t rows_per_sample(const WeightLayout& layout, size_t samples) {
  const auto width = static_cast<size_t>(layout.input_channels() * layout.taps);
  return std::max<size_t>(std::min(kMostRows, kMostRowElements / width) / std::max<size_t>(samples, 1), 1);
}

void take_rows(const Graph& graph, const Node& layer, const WeightLayout& layout, const Tensor& x,
               size_t first, size_t count, LayerRows& rows) {
  const auto taps = static_cast<size_t>(layout.taps), inputs = static_cast<size_t>(layout.inputs);
  const bool is_conv = layer.op_type == "Conv";
  Window window;
  if (is_conv) window = conv_window(layer, x.shape(), *graph.value(layer.inputs[1]).shape);
  const int64_t channels = layout.input_channels(), plane = is_conv ? window.in_size() : 1;
  const int64_t positions = is_conv ? window.out_size() : 1, images = x.size() / (channels * plane);
  for (size_t r = 0; r < count; ++r) {
    const int64_t at = static_cast<int64_t>(r) * images * positions / static_cast<int64_t>(count);
    for (int64_t c = 0; c < channels; ++c) {
      const size_t group = static_cast<size_t>(c) / inputs, input = static_cast<size_t>(c) % inputs;
      float* row = &rows.x[((group * rows.rows + first + r) * inputs + input) * taps];
      const float* from = x.data<float>() + (at / positions * channels + c) * plane;
      if (is_conv)
        copy_window(from, window, at % positions, row);
      else
        *row = *from;
    }
  }
}

}  // namespace quantize
