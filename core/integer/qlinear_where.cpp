// QLinearWhere of ONNX Runtime, with broadcasting: codes of x where the condition holds, of y elsewhere, each rounded to
// the scale of the result. Source: onnxruntime ContribOperators, com.microsoft.QLinearWhere.
#include "core/integer/codes.h"
#include "core/integer/integer_formulas.h"
#include "core/ops/support/broadcast.h"

namespace quantize {

namespace {

constexpr size_t kCondition = 0, kX = 1, kY = 4, kZScale = 7;

void infer(InferContext& context) {
  require_type(context, kCondition, kBoolOnly);
  require_codes(context, kX);
  require_codes(context, kY);
  const auto condition = context.shape(kCondition), x = context.shape(kX), y = context.shape(kY);
  const DataType dtype = code_type(context, kZScale, kX);
  context.set_output(
      0, dtype, condition && x && y ? std::optional(broadcast(*condition, broadcast(*x, *y))) : std::nullopt);
}

void evaluate(const EvaluateContext& context) {
  const TensorView &x = context.inputs[kX], &y = context.inputs[kY];
  const MutableTensorView& z = context.outputs[0];
  const ScalarParams x_params = scalar_operand(context, kX + 1), y_params = scalar_operand(context, kY + 1),
                     z_params = scalar_operand(context, kZScale);
  const std::vector<int32_t> x_codes = codes_of(x), y_codes = codes_of(y);
  const bool* condition = context.inputs[kCondition].as<bool>();
  auto* codes = static_cast<uint8_t*>(z.data);
  std::vector<Shape> strides{strides_of(z.shape)};
  for (size_t input : {kCondition, kX, kY})
    strides.push_back(broadcast_strides(context.inputs[input].shape, z.shape));
  const StridedLoop loop(z.shape, std::move(strides));
  loop.for_each_row([&](const int64_t* offsets) {
    for (int64_t i = 0; i < loop.row_size(); ++i) {
      const auto at = [&](size_t operand) {
        return static_cast<size_t>(offsets[operand] + i * loop.row_stride(operand));
      };
      codes[at(0)] =
          static_cast<uint8_t>(condition[at(1)] ? requantized(x_codes[at(2)], x_params, z_params, z.dtype)
                                                : requantized(y_codes[at(3)], y_params, z_params, z.dtype));
    }
  });
}

}  // namespace

void add_qlinear_where(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "QLinearWhere",
                 .domain = "com.microsoft",
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 9,
                 .max_inputs = 9,
                 .infer = infer,
                 .evaluate = evaluate,
                 .slots = {{operand_at(kX), operand_at(kY)}, kZScale}});
}

}  // namespace quantize
