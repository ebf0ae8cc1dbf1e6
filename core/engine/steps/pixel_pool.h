// The pools on pixels.
#pragma once

#include "core/integer/quantized_operand.h"
#include "core/ops/op.h"
#include "core/ops/support/window.h"

namespace quantize {

/// From a sum of x's codes to steps of y, for a mean of `count` elements: x_scale / (y_scale * count).
float mean_multiplier(const ScalarParams& x, const ScalarParams& y, int64_t count);

/// The divisor of QLinearAveragePool along one axis: with padding, by the whole kernel, even where ceil_mode
/// lets the window end behind the padding. AveragePool does not (counted_taps). Source: ONNX Runtime, whose
/// operator it is.
int64_t qlinear_divisor(const WindowAxis& axis, int64_t o, bool with_padding);

/// PixelSupport::takes of MaxPool, and of QLinearAveragePool and QLinearGlobalAveragePool: u8 images;
/// constant scales.
bool takes_pixel_max_pool(const Graph& graph, const Node& node);
bool takes_pixel_average_pool(const Graph& graph, const Node& node);

/// OpDef::compile of the three; nullptr where only the reference code will do.
StepFunction compile_max_pool(CompileContext& context);
StepFunction compile_qlinear_average_pool(CompileContext& context);
StepFunction compile_qlinear_global_average_pool(CompileContext& context);

}  // namespace quantize
