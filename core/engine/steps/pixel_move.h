// Operators that only move pixels: concatenation of channels, splitting into channels, resizing to the
// nearest.
#pragma once

#include "core/ops/op.h"

namespace quantize {

/// PixelSupport of Concat and QLinearConcat along the channels: inputs of the output's scale are written in
/// place by whoever computes them, the others are copied, code by code through a table where the scales
/// differ.
bool takes_pixel_concat(const Graph& graph, const Node& node);
bool joins_concat(const Graph& graph, const Node& node, size_t input);
bool takes_pixel_qlinear_concat(const Graph& graph, const Node& node);
bool joins_qlinear_concat(const Graph& graph, const Node& node, size_t input);
StepFunction compile_concat(CompileContext& context);
StepFunction compile_qlinear_concat(CompileContext& context);

/// PixelSupport of Split along the channels: nothing is computed.
bool takes_pixel_split(const Graph& graph, const Node& node);
StepFunction compile_split(CompileContext& context);

/// PixelSupport of DepthToSpace in its mode DCR.
bool takes_pixel_depth_to_space(const Graph& graph, const Node& node);
StepFunction compile_pixel_depth_to_space(CompileContext& context);

/// Copies pixels: output (row, column) is input (rows[row], columns[column]). Requires: both lie as pixels.
StepFunction gather_pixels(CompileContext& context, std::vector<int64_t> rows, std::vector<int64_t> columns);

}  // namespace quantize
