// The steps of QLinearAdd and QLinearMul.
#pragma once

#include "core/op.h"

namespace quantize {

/// PixelSupport::takes of QLinearAdd and QLinearMul: computed u8 images of one shape, or one of them a vector
/// [N or 1, C, 1, 1]; constant scales.
bool takes_pixel_pair(const Graph& graph, const Node& node);

/// OpDef::compile of both; nullptr where only the reference code will do.
StepFunction compile_qlinear_add(CompileContext& context);
StepFunction compile_qlinear_mul(CompileContext& context);

}  // namespace quantize
