// Overrides that cannot apply, found before anything is calibrated.
#pragma once

#include "core/graph.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"

namespace quantize {

/// Checks that every override of the scheme can do what it says: its value is there, and is an f32 activation
/// or the weights of some layer; the target has the type and axis; weights have the range.
/// Errors: Error(kInvalidArgument) naming the value.
void check_overrides(const Graph& graph, const QuantizationScheme& scheme, const TargetProfile& target);

}  // namespace quantize
