// Operators that compute in f32 alone, in graphs of f64.
#pragma once

#include <string>
#include <vector>

#include "core/graph.h"

namespace quantize {

/// infer_shapes, and Casts around every node whose operator does not take f64: it reads f32, and what it computes
/// becomes f64 again. A node behind such a one reads the f32 itself. Returns the names of these nodes, or of
/// the first result of one that has none.
/// Accuracy: that of f32. Errors: those of infer_shapes.
std::vector<std::string> narrow_doubles(Graph& graph);

}  // namespace quantize
