// Scales that are known before any sample is seen, as a part of the request.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/graph.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"

namespace quantize {

/// Tells the scheme the scales of values, by name, of a prepared graph: activations, and weights of layers. An override
/// that the scheme has already goes before. Returns the names that the graph has no such value for.
std::vector<std::string> take_known_scales(const Graph& graph,
                                           const std::map<std::string, QuantParams>& known,
                                           QuantizationScheme& scheme);

/// True if some of these scales are of 16 bits and the target computes on such codes.
bool keeps_16_bits(const std::map<std::string, QuantParams>& known, const TargetProfile& target);

}  // namespace quantize
