// LRN: y = x / (bias + alpha / size * (sum of squares over `size` neighbouring channels)) ^ beta.
#include <algorithm>
#include <cmath>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

int64_t window_size(const Node& node) {
  const int64_t size = node.int_attribute("size", 0);
  if (size < 1) invalid_model("the size of LRN is " + std::to_string(size));
  return size;
}

void infer(InferContext& context) {
  require_type(context, 0, kF32Only);
  window_size(context.node);
  const auto x = context.shape(0);
  if (x && x->size() < 2) invalid_model("the input of LRN has no channels");
  infer_same_as_input(context);
}

void evaluate(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const int64_t size = window_size(context.node);
  const float alpha = context.node.float_attribute("alpha", 1e-4f),
              beta = context.node.float_attribute("beta", 0.75f);
  const float bias = context.node.float_attribute("bias", 1.0f);
  const int64_t channels = x.shape[1], inner = extent_product(x.shape, 2, x.shape.size());
  const int64_t before = (size - 1) / 2, after = size - 1 - before;
  std::vector<float> squares(static_cast<size_t>(inner));
  const float* image = x.as<float>();
  float* y = context.outputs[0].as<float>();
  for (int64_t n = 0; n < x.shape[0]; ++n, image += channels * inner)
    for (int64_t c = 0; c < channels; ++c) {
      std::fill(squares.begin(), squares.end(), 0.0f);
      const int64_t last = c < channels - after ? c + after : channels - 1;
      for (int64_t k = std::max<int64_t>(c - before, 0); k <= last; ++k)
        for (int64_t i = 0; i < inner; ++i)
          squares[static_cast<size_t>(i)] += image[k * inner + i] * image[k * inner + i];
      for (int64_t i = 0; i < inner; ++i)
        *y++ = image[c * inner + i] /
               std::pow(bias + alpha / static_cast<float>(size) * squares[static_cast<size_t>(i)], beta);
    }
}

}  // namespace

void add_lrn(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "LRN",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
