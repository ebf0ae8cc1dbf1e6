// One scale for a Concat and what it reads.
#pragma once

#include "core/quantization/plan.h"
#include "core/quantization/scheme.h"

namespace quantize {

/// Gives the operands of every integer Concat the scale of its output where nothing else reads them: they
/// would be rounded to it anyway. Then they are rounded once, and a runtime copies codes, or computes them
/// into their place. Operands that others read keep the finer scale. Requires: all nodes are decided, no
/// weights yet.
void share_concat_scales(const Graph& graph, const GraphIndex& index, const QuantizationScheme& scheme,
                         QuantizationPlan& plan);

}  // namespace quantize
