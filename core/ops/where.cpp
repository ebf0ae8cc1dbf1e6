// Where: x where the condition holds, y elsewhere.
#include "core/ops/support/broadcast.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  require_type(context, 0, kBoolOnly);
  require_same_type(context, 1, 2);
  context.set_output(0, context.input(1).dtype, broadcast_inputs(context));
}

void evaluate(const EvaluateContext& context) {
  const Dims shape = context.outputs[0].shape;
  std::vector<Shape> strides{strides_of(shape)};
  for (const TensorView& input : context.inputs) strides.push_back(broadcast_strides(input.shape, shape));
  const StridedLoop loop(shape, std::move(strides));
  const bool* condition = context.inputs[0].as<bool>();
  visit_width(size_of(context.outputs[0].dtype), [&]<typename T>() {
    const T* x = static_cast<const T*>(context.inputs[1].data);
    const T* y = static_cast<const T*>(context.inputs[2].data);
    T* result = static_cast<T*>(context.outputs[0].data);
    loop.for_each_row([&](const int64_t* offsets) {
      for (int64_t i = 0; i < loop.row_size(); ++i)
        result[offsets[0] + i] = condition[offsets[1] + i * loop.row_stride(1)]
                                     ? x[offsets[2] + i * loop.row_stride(2)]
                                     : y[offsets[3] + i * loop.row_stride(3)];
    });
  });
}

}  // namespace

void add_where(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Where",
                 .domain = "",
                 .min_opset = 9,
                 .max_opset = kNewestOpset,
                 .min_inputs = 3,
                 .max_inputs = 3,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
