// Shields and barriers: nodes that keep a runtime to the plan.
#pragma once

#include "core/quantization/plan.h"
#include "core/quantization/target.h"

namespace quantize {

/// Sets PlannedValue::shielded and PlannedNode::behind_barrier.
/// Requires: all else of the plan is decided.
void plan_shields(const Graph& graph, const GraphIndex& index, const TargetProfile& target,
                  QuantizationPlan& plan);

}  // namespace quantize
