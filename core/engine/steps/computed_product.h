// Products of two computed matrices of codes: attention, the fast form of QLinearMatMul without constants.
#pragma once

#include "core/engine/steps/step.h"

namespace quantize {

/// The step of a node whose inputs are those of QLinearMatMul. Each matrix B becomes packed weights when its
/// product is due. nullptr where only the reference code will do: codes that are not u8, a scale per column,
/// or one that is computed.
StepFunction compile_computed_product(CompileContext& context);

}  // namespace quantize
