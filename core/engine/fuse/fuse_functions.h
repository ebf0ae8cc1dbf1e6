// Activation functions that a graph spells in several operators.
#pragma once

#include "core/graph.h"

namespace quantize {

/// Replaces operators on f32 that together are one of the kernels' functions (GELU as Div, Erf, Add, Mul,
/// Mul; SiLU as Sigmoid, Mul; ...) by one FusedFunction, with a QuantizeLinear to one scale behind them.
/// Values with keep[id] stay. Results are within the functions' accuracy of what they were; codes differ
/// where that crosses a tie. Requires: all shapes are static.
void fuse_functions(Graph& graph, const std::vector<bool>& keep);

}  // namespace quantize
