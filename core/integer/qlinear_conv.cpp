// QLinearConv: a convolution of codes. The sums are integers, multiplied once and rounded once.
#include "core/integer/codes.h"
#include "core/integer/fused_conv.h"
#include "core/integer/integer_formulas.h"
#include "core/ops/conv.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "kernels/kernel_table.h"
#include "kernels/requantize.h"

namespace quantize {

namespace {

constexpr std::array kBiasTypes{DataType::kS32};
enum : size_t { kX = 0, kW = 3, kYScale = 6, kBias = 8 };

void infer(InferContext& context) {
  require_codes(context, kX);
  require_codes(context, kW);
  if (context.has_input(kBias)) require_type(context, kBias, kBiasTypes);
  const DataType dtype = code_type(context, kYScale, kX);
  const auto x = context.shape(kX), w = context.shape(kW);
  if (!x || !w) return context.set_output(0, dtype, std::nullopt);
  context.set_output(0, dtype, conv_output_shape(context.node, *x, *w, context.shape(kBias)));
}

void evaluate(const EvaluateContext& context) {
  scalar_operand(context, kX + 1);
  scalar_operand(context, kYScale);
  evaluate_conv_codes(context);
}

}  // namespace

void evaluate_conv_codes(const EvaluateContext& context) {
  const TensorView &x = context.inputs[kX], &w = context.inputs[kW], bias = context.input(kBias);
  const int64_t channels = w.shape[0];
  const OperandParams x_params = channel_operand(context, kX + 1, kX + 2, channels),
                      y_params = channel_operand(context, kYScale, kYScale + 1, channels),
                      w_params = channel_operand(context, kW + 1, kW + 2, channels);
  const auto image = centred_codes(x, x_params.zero_point, element_count(x.shape.subspan(2)));
  const auto weights = centred_codes(w, w_params.zero_point, std::max<int64_t>(w.size() / w.shape[0], 1));
  const std::optional<Function> function = function_of(context.node);
  const float alpha = context.node.float_attribute("alpha", 0);
  CodeWriter y(context.outputs[0]);
  const uint8_t* residual = nullptr;
  AddU8 join;
  if (joins_residual(context.node)) {
    residual = context.inputs[kFusedConvResidual].as<uint8_t>();
    join = join_form(scalar_operand(context, kFusedConvResidual + 1), scalar_operand(context, kYScale));
  }
  const auto finish = [&](int64_t sum, int64_t channel) {
    const auto c = static_cast<size_t>(channel);
    if (bias) sum += bias.as<int32_t>()[c];
    const auto number = static_cast<float>(sum);
    const float step = x_params.scale_of(c) * w_params.scale_of(c), y_scale = y_params.scale_of(c);
    const float value = function ? function_value(*function, alpha, number * step) : number,
                ratio = function ? 1 / y_scale : step / y_scale;
    if (residual != nullptr)
      y.append(joined_steps(value, ratio, *residual++, join.b_ratio, join.offset), 0);
    else
      y.append(value * ratio, y_params.zero_point_of(c));
  };
  convolve<int64_t>(context.node, x.shape, w.shape, image.data(), weights.data(), finish);
}

void add_qlinear_conv(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "QLinearConv",
                 .domain = "",
                 .min_opset = 10,
                 .max_opset = kNewestOpset,
                 .min_inputs = 8,
                 .max_inputs = 9,
                 .infer = infer,
                 .evaluate = evaluate,
                 .weight_layout = conv_weight_layout,
                 .weight_input = kW,
                 .slots = {{operand_at(0), operand_at(3)}, 6}});
}

}  // namespace quantize
