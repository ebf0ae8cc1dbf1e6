// Element-wise steps without a compiled form, shared by threads.
#pragma once

#include "core/engine/steps/step.h"

namespace quantize {

/// A step function that calls `def.evaluate` on ranges of elements, and its number of chunks in `context`;
/// nullptr where that is not possible or not worth it: every input must have the output's shape or one
/// element.
StepFunction split_elementwise(const OpDef& def, CompileContext& context);

}  // namespace quantize
