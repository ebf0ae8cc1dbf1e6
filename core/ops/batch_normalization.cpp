// BatchNormalization in inference: y = (x - mean) / sqrt(variance + epsilon) * scale + bias per channel.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  const auto& outputs = context.node.outputs;
  const bool has_statistics =
      std::any_of(outputs.begin() + 1, outputs.end(), [](ValueId id) { return id != kNoValue; });
  if (context.node.int_attribute("training_mode", 0) != 0 || has_statistics)
    throw Error(ErrorKind::kUnsupported,
                "BatchNormalization in training mode is not supported; export the model for inference");
  if (context.node.int_attribute("spatial", 1) == 0)
    throw Error(ErrorKind::kUnsupported,
                "BatchNormalization with spatial=0 is not supported; export the model with opset 9 or later");
  const auto x = context.shape(0);
  if (x && x->size() < 2) invalid_model("the input of BatchNormalization has no channels");
  for (size_t i = 0; i < 5; ++i) {
    require_type(context, i, kF32Only);
    if (i > 0) require_vector(context, i, x ? (*x)[1] : kUnknownDim);
  }
  infer_same_as_input(context);
}

void evaluate(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const float epsilon = context.node.float_attribute("epsilon", 1e-5f);
  const int64_t channels = x.shape[1];
  const int64_t outer = x.shape[0], inner = extent_product(x.shape, 2, x.shape.size());
  const float* scale = context.inputs[1].as<float>();
  const float* bias = context.inputs[2].as<float>();
  const float* mean = context.inputs[3].as<float>();
  const float* variance = context.inputs[4].as<float>();
  const float* from = x.as<float>();
  float* to = context.outputs[0].as<float>();
  for (int64_t i = 0; i < outer * channels; ++i, from += inner, to += inner) {
    const int64_t c = i % channels;
    const float factor = scale[c] / std::sqrt(variance[c] + epsilon);
    const float shift = bias[c] - mean[c] * factor;
    for (int64_t k = 0; k < inner; ++k) to[k] = from[k] * factor + shift;
  }
}

}  // namespace

void add_batch_normalization(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "BatchNormalization",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .min_inputs = 5,
                 .max_inputs = 5,
                 .max_outputs = 5,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
