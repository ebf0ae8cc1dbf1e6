// Pixels that are means of others: Resize in its mode linear.
#pragma once

#include "core/engine/steps/step.h"
#include "core/ops/support/resample.h"

namespace quantize {

/// Output (row, column) is the mean of the input's pixels by the taps of that row and that column, rounded
/// half to even. The same bytes as Resize's `evaluate`: first over the rows, then over the columns, in f32,
/// without fma. Requires: both images lie as pixels.
StepFunction blend_pixels(CompileContext& context, Taps rows, Taps columns);

}  // namespace quantize
