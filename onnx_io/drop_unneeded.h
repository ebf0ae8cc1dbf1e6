// Leaves what the outputs of a graph need.
#pragma once

#include <vector>

#include "core/graph.h"

namespace onnx {
class GraphProto;
}

namespace quantize {

/// Removes the nodes, initializers (dense and sparse) and inputs that no output of the graph depends on.
/// Only the names of tensors are read, so that the removed parts may be of any kind, or malformed. Never an
/// error: the reader finds a name that nothing computes. Returns the removed inputs, except initializers and
/// inputs that have no name or type or are listed twice.
std::vector<UnreadInput> drop_unneeded(onnx::GraphProto& graph);

}  // namespace quantize
