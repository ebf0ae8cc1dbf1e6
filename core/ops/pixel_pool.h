// The pools on pixels.
#pragma once

#include "core/op.h"

namespace quantize {

/// PixelSupport::takes of MaxPool, QLinearAveragePool and QLinearGlobalAveragePool: u8 images; constant
/// scales.
bool takes_pixel_max_pool(const Graph& graph, const Node& node);
bool takes_pixel_average_pool(const Graph& graph, const Node& node);
bool takes_pixel_global_average_pool(const Graph& graph, const Node& node);

/// OpDef::compile of the three; nullptr where only the reference code will do.
StepFunction compile_max_pool(CompileContext& context);
StepFunction compile_qlinear_average_pool(CompileContext& context);
StepFunction compile_qlinear_global_average_pool(CompileContext& context);

}  // namespace quantize
