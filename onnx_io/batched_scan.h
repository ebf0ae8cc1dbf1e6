// Scan of opset 8, whose inputs and results have an axis of batches.
#pragma once

#include "core/graph.h"

namespace quantize {

/// Rewrites a Scan of opset 8 as one of opset 9 that runs over the batches, and whose body is the Scan of one batch:
///
///   Scan8(lengths, states, sequences) = Scan9(states, sequences: Scan9(state, sequence: body))
///
/// Requires: the node has its body and captures, and its first input is that of the lengths.
/// Errors: Error(kUnsupported) if the lengths of sequences are given; Error(kInvalidModel) without inputs.
void unbatch_scan(const Graph& graph, Node& node);

}  // namespace quantize
