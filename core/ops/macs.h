// How much multiplying a graph does.
#pragma once

#include <cstdint>

#include "core/graph.h"

namespace quantize {

/// Multiply-accumulate operations of one node: of Conv, ConvTranspose, DeformConv, Gemm and MatMul (two activations
/// included), LSTM, GRU and RNN one per weight and use; of Einsum and Attention one per product; 0 for all
/// other operators. Padding counts as data; an unknown extent counts as 1.
/// Requires: shapes were inferred. Errors: those of find_op.
uint64_t macs_of(const Graph& graph, const Node& node);

}  // namespace quantize
