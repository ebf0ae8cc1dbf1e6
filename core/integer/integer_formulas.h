// Formulas that the reference of an integer operator and its fast step share: constants that are computed before a
// code is read.
#pragma once

#include "core/integer/quantized_operand.h"
#include "core/ops/softmax.h"
#include "core/ops/support/window.h"
#include "kernels/integer.h"

namespace quantize {

/// The constants of QLinearAdd and QLinearMul; operands, sizes and results are left open.
AddU8 add_form(const ScalarParams& a, const ScalarParams& b, const ScalarParams& y);
MulU8 mul_form(const ScalarParams& a, const ScalarParams& b, const ScalarParams& y);

/// The constants of a residual that joins sums before they are rounded: b_ratio and offset of EpilogueU8.
AddU8 join_form(const ScalarParams& b, const ScalarParams& y);

/// The code of type `dtype` in y's scale of a code in x's, and those of all codes of u8.
int32_t requantized(int32_t code, const ScalarParams& x, const ScalarParams& y, DataType dtype);
std::vector<uint8_t> requantize_table(const ScalarParams& x, const ScalarParams& y);

/// From a sum of x's codes to steps of y, for a mean of `count` elements: x_scale / (y_scale * count).
float mean_multiplier(const ScalarParams& x, const ScalarParams& y, int64_t count);

/// The divisor of QLinearAveragePool along one axis: with padding, by the whole kernel, even where ceil_mode lets
/// the window end behind the padding. AveragePool does not (counted_taps). Source: ONNX Runtime, whose operator
/// it is.
int64_t qlinear_divisor(const WindowAxis& axis, int64_t o, bool with_padding);

/// The axes that QLinearSoftmax works along: those of Softmax in the opset that its attribute names.
/// Errors: those of softmax_extents.
SoftmaxExtents qlinear_softmax_extents(const Node& node, Dims x);

}  // namespace quantize
