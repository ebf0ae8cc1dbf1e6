// Which float nodes are computed in 16 bits, and why the others are not.
#pragma once

#include "core/quantization/plan.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"
#include "core/range_table.h"

namespace quantize {

/// Sets `plan.rest` and PlannedNode::narrow of all float nodes, with `wide_reason` where one stays f32, if the scheme
/// asks for 16 bits. A node stays f32 if its operator is no one for 16 bits, if a value that it reads or makes was seen
/// beyond half of the largest number of the type, if one of its constants is, or is so small that the type has 0 or few
/// digits for it (of constants with one element), or if it stands alone between nodes of f32.
///
/// Requires: all nodes are planned. Without ranges of a value, its constants and operator alone decide.
void plan_rest(const Graph& graph, const RangeTable& ranges, const QuantizationScheme& scheme,
               QuantizationPlan& plan);

/// Errors: Error(kInvalidArgument) if the target does not compute the type that the scheme asks for.
void check_rest(const QuantizationScheme& scheme, const TargetProfile& target);

/// The least opset of a graph that is to be planned so.
int64_t opset_of_rest(const QuantizationScheme& scheme);

}  // namespace quantize
