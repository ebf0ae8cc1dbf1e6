// Requests that the target or the graph cannot fulfil, found before anything is calibrated.
#pragma once

#include "core/graph.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"

namespace quantize {

/// Checks that the target can do what the scheme asks for with this graph.
/// Errors: Error(kUnsupported) for an opset that the target does not take; Error(kInvalidArgument) for types
/// that it does not multiply, zero points that it does not want, u8 weights of fewer bits, and those of
/// check_overrides.
void check_scheme(const Graph& graph, const QuantizationScheme& scheme, const TargetProfile& target);

}  // namespace quantize
