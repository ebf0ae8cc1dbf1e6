// Requests that the target or the graph cannot fulfil, found before anything is calibrated.
#pragma once

#include "core/graph.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"

namespace quantize {

/// Sets what the target says of types: those of `types`, symmetry, the grid of scales, and weights of one scale where it
/// takes no other.
void take_types(QuantizationScheme& scheme, const TargetProfile& target, const TypePair& types);

/// Checks that the target can do what the scheme asks for with this graph.
/// Errors: Error(kUnsupported) for an opset that the target does not take; Error(kInvalidArgument) for types
/// that it does not multiply, zero points and scales that it does not want, u8 weights of fewer bits, and those of
/// check_overrides.
void check_scheme(const Graph& graph, const QuantizationScheme& scheme, const TargetProfile& target);

}  // namespace quantize
