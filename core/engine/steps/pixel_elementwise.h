// The steps of QLinearAdd and QLinearMul.
#pragma once

#include "core/integer/quantized_operand.h"
#include "core/ops/op.h"

namespace quantize {

/// The constants of the kernels: operands, sizes and results are left open.
/// The constants of a residual that joins sums before they are rounded: b_ratio and offset of EpilogueU8.
AddU8 join_form(const ScalarParams& b, const ScalarParams& y);
AddU8 add_form(const ScalarParams& a, const ScalarParams& b, const ScalarParams& y);
MulU8 mul_form(const ScalarParams& a, const ScalarParams& b, const ScalarParams& y);

/// PixelSupport::takes of QLinearAdd and QLinearMul: computed u8 images of one shape, or one of them a vector
/// [N or 1, C, 1, 1]; constant scales.
bool takes_pixel_pair(const Graph& graph, const Node& node);

/// OpDef::compile of both; nullptr where only the reference code will do.
StepFunction compile_qlinear_add(CompileContext& context);
StepFunction compile_qlinear_mul(CompileContext& context);

}  // namespace quantize
