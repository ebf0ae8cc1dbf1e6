// One scale for an operator's output and what it reads.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/quantization/candidates.h"
#include "core/quantization/plan.h"
#include "core/quantization/scheme.h"

namespace quantize {

/// Gives inputs and outputs of integer operators one scale, as the target says (IntegerOperator::scales).
///
/// kWhereAlone (Concat): an input takes the output's scale where nothing else reads it: it would be rounded
/// to it anyway. Then it is rounded once, and a runtime copies codes, or computes them into their place.
/// Inputs that others read keep the finer scale. kAlways: all have one scale, which holds all their ranges.
///
/// Returns the operators of kAlways that have an input for which that cannot be, and why.
/// Requires: all nodes are decided, no weights yet.
std::map<NodeId, std::string> share_scales(const Graph& graph, const GraphIndex& index,
                                           const QuantizationScheme& scheme,
                                           const std::vector<Candidate>& candidates, QuantizationPlan& plan);

}  // namespace quantize
