// MaxPool on f32, f64, s8 and u8, and where each maximum stands.
#include <algorithm>
#include <limits>
#include <memory>

#include "core/ops/support/element_types.h"
#include "core/ops/support/pool.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  constexpr std::array kTypes{DataType::kF32, DataType::kF64, DataType::kS8, DataType::kU8};
  require_type(context, 0, kTypes);
  const auto x = context.shape(0);
  std::optional<Shape> y;
  if (x) y = pool_window(context.node, *x).output_shape((*x)[0], (*x)[1]);
  context.set_output(0, context.input(0).dtype, y);
  context.set_output(1, DataType::kS64, y);
}

/// The place of the largest element under window (od, oh, ow) of one channel; of equal ones the first; -1 for none.
template <typename T>
int64_t place_of_largest(const Window& window, const T* x, const int64_t (&o)[3]) {
  const auto& [d, h, w] = window.axes;
  int64_t best = -1;
  for (int64_t kd = d.first_tap(o[0]); kd < d.last_tap(o[0]); ++kd)
    for (int64_t kh = h.first_tap(o[1]); kh < h.last_tap(o[1]); ++kh)
      for (int64_t kw = w.first_tap(o[2]); kw < w.last_tap(o[2]); ++kw) {
        const int64_t row = (d.start(o[0]) + kd * d.dilation) * h.in + h.start(o[1]) + kh * h.dilation;
        const int64_t place = row * w.in + w.start(o[2]) + kw * w.dilation;
        if (best < 0 || x[place] > x[best]) best = place;
      }
  return best;
}

/// The place in an image whose axes count in reverse.
int64_t reversed(const Window& window, int64_t place) {
  const auto& [d, h, w] = window.axes;
  const int64_t column = place % w.in, row = place / w.in % h.in, plane = place / (w.in * h.in);
  return plane + d.in * (row + h.in * column);
}

/// The place of each maximum in the whole tensor; with storage_order 1 the axes of an image count in reverse.
template <typename T>
void write_places(const EvaluateContext& context, const Window& window) {
  const TensorView x = context.inputs[0];
  const bool reverse = context.node.int_attribute("storage_order", 0) != 0;
  const auto& [d, h, w] = window.axes;
  int64_t* to = context.outputs[1].as<int64_t>();
  for (int64_t c = 0; c < x.shape[0] * x.shape[1]; ++c) {
    const T* image = x.as<T>() + c * window.in_size();
    for (int64_t o = 0; o < window.out_size(); ++o) {
      const int64_t place =
          place_of_largest(window, image, {o / (w.out * h.out), o / w.out % h.out, o % w.out});
      const int64_t within =
          reverse && place >= 0 ? reversed(window, place) : place;  // -1: nothing but padding
      *to++ = c * window.in_size() + within;
    }
  }
}

/// The largest element under every window; the lowest number there is if dilation steps over the whole image.
template <typename T>
void evaluate_as(const EvaluateContext& context) {
  const TensorView x = context.inputs[0];
  const Window window = pool_window(context.node, x.shape);
  std::vector<T> row(static_cast<size_t>(window.width().in));
  const T* image = x.as<T>();
  T* y = context.outputs[0].as<T>();
  for (int64_t c = 0; c < x.shape[0] * x.shape[1]; ++c, image += window.in_size(), y += window.out_size())
    pool_channel(window, image, y, row.data(), std::numeric_limits<T>::lowest(),
                 [](T a, T b) { return std::max(a, b); });
  if (context.outputs.size() > 1 && context.outputs[1]) write_places<T>(context, window);
}

void evaluate(const EvaluateContext& context) {
  switch (context.inputs[0].dtype) {
    case DataType::kS8:
      return evaluate_as<int8_t>(context);
    case DataType::kU8:
      return evaluate_as<uint8_t>(context);
    case DataType::kF64:
      return evaluate_as<double>(context);
    default:
      return evaluate_as<float>(context);
  }
}

}  // namespace

void add_max_pool(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "MaxPool",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = kNewestOpset,
                 .max_outputs = 2,
                 .infer = infer,
                 .evaluate = evaluate,
                 .selects = true,
                 .scales_by_channel = true});
}

}  // namespace quantize
