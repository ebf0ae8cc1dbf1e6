// MaxPool on f32, s8 and u8; without its second output, the indices.
#include <algorithm>
#include <limits>
#include <memory>

#include "core/ops/support/element_types.h"
#include "core/ops/support/pool.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  constexpr std::array kTypes{DataType::kF32, DataType::kS8, DataType::kU8};
  require_type(context, 0, kTypes);
  if (context.node.output(1) != kNoValue)
    throw Error(ErrorKind::kUnsupported,
                "the output 'Indices' of MaxPool is not supported; export the model without it");
  const auto x = context.shape(0);
  if (!x) return context.set_output(0, context.input(0).dtype, std::nullopt);
  const Window window = pool_window(context.node, *x);
  context.set_output(0, context.input(0).dtype, window.output_shape((*x)[0], (*x)[1]));
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
}

void evaluate(const EvaluateContext& context) {
  switch (context.inputs[0].dtype) {
    case DataType::kS8:
      return evaluate_as<int8_t>(context);
    case DataType::kU8:
      return evaluate_as<uint8_t>(context);
    default:
      return evaluate_as<float>(context);
  }
}

}  // namespace

void add_max_pool(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "MaxPool",
                 .domain = "",
                 .min_opset = 1,
                 .max_opset = 21,
                 .max_outputs = 2,
                 .infer = infer,
                 .evaluate = evaluate,
                 .selects = true,
                 .scales_by_channel = true});
}

}  // namespace quantize
