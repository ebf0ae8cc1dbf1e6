// Dropout as it runs in inference: the input, and a mask that keeps everything.
#include <algorithm>
#include <cstring>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  require_type(context, 2, kBoolOnly);
  infer_same_as_input(context);
  context.set_output(1, context.opset < 10 ? DataType::kF32 : DataType::kBool, context.shape(0));
}

void refuse_training(const TensorView& training_mode) {
  if (training_mode && training_mode.size() == 1 && *training_mode.as<bool>())
    throw Error(ErrorKind::kUnsupported,
                "Dropout in training mode is not supported; export the model for inference");
}

void evaluate(const EvaluateContext& context) {
  refuse_training(context.input(2));
  const TensorView& x = context.inputs[0];
  const size_t bytes = byte_count(x.dtype, x.shape);
  if (bytes != 0) std::memcpy(context.outputs[0].data, x.data, bytes);
  if (context.outputs.size() < 2 || !context.outputs[1]) return;
  const MutableTensorView& mask = context.outputs[1];
  if (mask.dtype == DataType::kBool)
    std::fill_n(mask.as<bool>(), mask.size(), true);
  else
    std::fill_n(mask.as<float>(), mask.size(), 1.0f);
}

}  // namespace

void add_dropout(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Dropout",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .max_inputs = 3,
                 .max_outputs = 2,
                 .infer = infer,
                 .evaluate = evaluate,
                 .moves_data = true});
}

}  // namespace quantize
