// From ranges to the plan: what becomes integer, with which scales, and why the rest does not.
#pragma once

#include "core/quantization/plan.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"
#include "core/range_table.h"

namespace quantize {

/// Plans the quantization of a prepared graph.
///
/// A node becomes integer if the target has an integer kernel for it, its activations and (unless the target
/// can return reals) its output can be held in 8 bits, and, for all but the operators with weights, its
/// inputs are integers already: an operator that moves bytes follows its inputs, one that multiplies is worth
/// a rounding. A value can be held in 8 bits if it has a finite range and rounding it makes at most
/// `scheme.max_noise` of the next layers' results noise (RoundingNoise); one with an override is taken as it
/// is.
///
/// Requires: the graph is prepared, its types and shapes inferred; `ranges` made for it.
/// Errors: those of check_scheme; Error(kInvalidArgument) for a regular expression that is none.
PlannedModel plan_quantization(const Graph& graph, const RangeTable& ranges, const QuantizationScheme& scheme,
                               const TargetProfile& target);

}  // namespace quantize
