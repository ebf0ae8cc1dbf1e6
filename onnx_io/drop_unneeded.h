// Leaves what the outputs of a graph need.
#pragma once

#include <vector>

#include "core/graph.h"

namespace onnx {
class GraphProto;
}

namespace quantize {

/// Removes the nodes, initializers (dense and sparse) and inputs that no output of the graph depends on.
/// Nothing but the names of tensors is read, so what goes may be of any kind, or malformed. Never an error: a
/// name that nothing computes stays to be found by the reader. Returns the inputs that went, but those
/// without a name or type, those that are listed twice and initializers.
std::vector<UnreadInput> drop_unneeded(onnx::GraphProto& graph);

}  // namespace quantize
