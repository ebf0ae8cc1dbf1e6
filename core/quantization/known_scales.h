// Scales that are known before any sample is seen, as a part of the request.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/graph.h"
#include "core/quantization/scheme.h"

namespace quantize {

/// Tells the scheme the scales of values, by name, of a prepared graph: activations, and weights of layers. An override
/// that the scheme has already goes before. Returns the names that the graph has no such value for.
std::vector<std::string> take_known_scales(const Graph& graph,
                                           const std::map<std::string, QuantParams>& known,
                                           QuantizationScheme& scheme);

}  // namespace quantize
