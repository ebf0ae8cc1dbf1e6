// Pixels that are copies of others.
#pragma once

#include <vector>

#include "core/engine/steps/step.h"

namespace quantize {

/// Copies pixels: output (row, column) is input (rows[row], columns[column]). Requires: both lie as pixels.
StepFunction gather_pixels(CompileContext& context, std::vector<int64_t> rows, std::vector<int64_t> columns);

}  // namespace quantize
