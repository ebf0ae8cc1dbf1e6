// Reading and naming files of scales.
#pragma once

#include "calibration/scales/scale_format.h"

namespace quantize {

/// The scales of a file, whose kind follows from its text. Errors: Error(kIo) if it cannot be read;
/// Error(kInvalidArgument), with the file as context, for a file of no known kind or a wrong entry.
ScalesByValue read_scales(const std::string& path, const Graph& graph);

/// Errors: Error(kInvalidArgument) listing the names that there are.
const ScaleFormat& find_scale_format(const std::string& name);

/// "trt-cache, ncnn-table, ...".
std::string scale_formats_text();

}  // namespace quantize
