// Models of f16 and bf16, read as f32.
#pragma once

#include "core/graph.h"

namespace quantize {

/// Makes f32 of all f16 and bf16: inputs, outputs, constants, and the types that attributes name. A Cast to
/// them rounds no more. ModelInfo::widened_from says which types there were. A model with an operator that
/// reads bits (BitCast) stays as it is.
void widen_halves(Graph& graph);

}  // namespace quantize
