// One scale for a Concat and what it reads.
#pragma once

#include "core/quantization/plan.h"
#include "core/quantization/scheme.h"

namespace quantize {

/// Gives an operand of an integer Concat the scale of the Concat's output if nothing else reads it. It would
/// be rounded to that scale anyway; with it, it is rounded once, and a runtime copies its codes or computes
/// them in place. Operands with other readers keep their finer scale. Requires: all nodes are decided, no
/// weights yet.
void share_concat_scales(const Graph& graph, const GraphIndex& index, const QuantizationScheme& scheme,
                         QuantizationPlan& plan);

}  // namespace quantize
