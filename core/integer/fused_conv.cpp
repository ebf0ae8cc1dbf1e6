// FusedConv: the engine's form of QLinearConv.
#include "core/integer/fused_conv.h"

#include <utility>

#include "core/error.h"
#include "core/integer/codes.h"
#include "core/integer/integer_formulas.h"
#include "core/ops/conv.h"
#include "core/ops/support/operands.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  const auto x = context.shape(0), w = context.shape(3);
  std::optional<Shape> y;
  if (x && w && w->size() >= 2) y = conv_output_shape(context.node, *x, *w, context.shape(kFusedConvBias));
  const auto residual = context.shape(kFusedConvResidual);
  if (y && residual && is_static(*y) && is_static(*residual) && *y != *residual)
    throw Error(ErrorKind::kUnsupported, "a residual of shape " + to_string(*residual) +
                                             " is added to a convolution's " + to_string(*y));
  context.set_output(0, DataType::kU8, std::move(y));
}

/// y += residual, as QLinearAdd does it.
void add_residual(const EvaluateContext& context) {
  const ScalarParams conv = scalar_operand(context, kFusedConvAddition),
                     residual = scalar_operand(context, kFusedConvResidual + 1),
                     sum = scalar_operand(context, kFusedConvResidual + 3);
  const bool residual_first = context.node.int_attribute("residual_first", 0) != 0;
  AddU8 call = residual_first ? add_form(residual, conv, sum) : add_form(conv, residual, sum);
  call.y = context.outputs[0].as<uint8_t>();
  call.a = call.y;
  call.b = context.inputs[kFusedConvResidual].as<uint8_t>();
  if (residual_first) std::swap(call.a, call.b);
  call.n = static_cast<size_t>(context.outputs[0].size());
  kernels_for(Isa::kScalar).add_u8(call);
}

void evaluate(const EvaluateContext& context) {
  evaluate_conv_codes(context);
  if (context.input(kFusedConvResidual) && !joins_residual(context.node)) add_residual(context);
  const TensorView table = context.input(kFusedConvTable);
  if (!table) return;
  auto* y = context.outputs[0].as<uint8_t>();
  const auto size = static_cast<size_t>(context.outputs[0].size());
  kernels_for(Isa::kScalar).table_u8({y, y, 1, size, size, size, table.as<uint8_t>()});
}

}  // namespace

bool is_qlinear_conv(const Node& node) {
  return node.op_type == "QLinearConv" && node.domain.empty();
}

bool is_fused_conv(const Node& node) {
  return node.op_type == "FusedConv";
}

bool has_table(const Node& fused_conv) {
  return fused_conv.input(kFusedConvTable) != kNoValue;
}

bool joins_residual(const Node& conv) {
  return conv.input(kFusedConvResidual) != kNoValue && conv.input(kFusedConvAddition) == kNoValue;
}

std::optional<Function> function_of(const Node& conv) {
  if (!conv.has_attribute("function")) return std::nullopt;
  return static_cast<Function>(conv.int_attribute("function", 0));
}

Node as_fused_conv(const Node& conv) {
  Node fused = conv;
  fused.op_type = "FusedConv";
  fused.domain = kEngineDomain;
  fused.inputs.resize(kFusedConvInputs, kNoValue);
  return fused;
}

void add_fused_conv(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "FusedConv",
                 .domain = kEngineDomain,
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 8,
                 .max_inputs = kFusedConvInputs,
                 .infer = infer,
                 .evaluate = evaluate,
                 .weight_layout = conv_weight_layout,
                 .weight_input = 3});
}

}  // namespace quantize
