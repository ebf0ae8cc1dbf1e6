// Where the values of an integer graph lie in memory.
#pragma once

#include <vector>

#include "core/engine/storage.h"
#include "core/graph.h"

namespace quantize {

/// Decides where every value lies, and inserts ToPixels and ToRowMajor where operators disagree. The values
/// among `keep`, the graph's inputs and its outputs stay row-major. Requires: all shapes are static.
std::vector<Storage> assign_storage(Graph& graph, const std::vector<bool>& keep);

}  // namespace quantize
