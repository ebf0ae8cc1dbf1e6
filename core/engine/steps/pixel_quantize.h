// QuantizeLinear and DequantizeLinear between rows of floats and pixels of u8.
#pragma once

#include "core/ops/op.h"

namespace quantize {

/// PixelSupport::takes: an f32 image to or from a u8 one, constant scale and zero point per tensor.
bool takes_pixel_quantize(const Graph& graph, const Node& node);
bool takes_pixel_dequantize(const Graph& graph, const Node& node);

/// OpDef::compile of both; nullptr where only the reference code will do.
StepFunction compile_quantize_linear(CompileContext& context);
StepFunction compile_dequantize_linear(CompileContext& context);

}  // namespace quantize
