// QLinearConv as the engine runs it: on pixels, with what follows it element by element.
#pragma once

#include "core/ops/op.h"
#include "kernels/integer.h"

namespace quantize {

/// A QLinearConv that can do more: x and y may have one scale and zero point per channel (x where the
/// convolution is depthwise), a function or an addition may stand in front of the rounding, an addition and
/// a table behind it. All codes are u8.
///
/// The inputs of a FusedConv (domain "quantize", attributes of QLinearConv): the nine of QLinearConv; then,
/// if it adds a residual, the scale and zero point of the convolution's result as QLinearAdd reads it, the
/// residual with its scale and zero point, and those of the sum; last, if there is one, a table of 256 codes.
/// A residual without those scales is added before the result is rounded: y's scale is that of the sum.
/// The attribute "residual_first" is 1 if the residual is the sum's first operand; "function" is the number
/// of a Function of the kernels, "alpha" its parameter: then y is round_half_even(f(real sum) * (1 / scale)),
/// or the residual is added before that is rounded.
constexpr size_t kFusedConvBias = 8;
constexpr size_t kFusedConvAddition = kFusedConvBias + 1;
constexpr size_t kFusedConvResidual = kFusedConvAddition + 2;
constexpr size_t kFusedConvTable = kFusedConvAddition + 7;
constexpr size_t kFusedConvInputs = kFusedConvTable + 1;

/// True for a QLinearConv, and for a FusedConv.
bool is_qlinear_conv(const Node& node);
bool is_fused_conv(const Node& node);
/// True if it looks its result up in a table before it stores it.
bool has_table(const Node& fused_conv);
/// True if it adds a residual before it rounds.
bool joins_residual(const Node& conv);
/// The function that it applies before it rounds.
std::optional<Function> function_of(const Node& conv);

/// The reference of QLinearConv and of what FusedConv is before additions and tables.
void evaluate_conv_codes(const EvaluateContext& context);

/// The same convolution as a FusedConv whose additional inputs are left out.
Node as_fused_conv(const Node& conv);

}  // namespace quantize
