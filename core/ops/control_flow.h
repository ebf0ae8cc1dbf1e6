// The three operators that run bodies.
#pragma once

#include <optional>

#include "core/graph.h"

namespace quantize {

/// How a node runs its bodies.
enum class ControlFlowKind {
  kIf,    // one of two, by a condition
  kLoop,  // again and again; the first two inputs are the trip count and the condition
  kScan,  // once for each slice of some inputs
};

/// The kind of an operator of control flow; nothing for any other.
std::optional<ControlFlowKind> control_flow_of(const Node& node);

/// Errors: Error(kInvalidModel) if a branch of an If does not have as many results as the node.
void check_branch(const Node& node, const Graph& branch);

/// The shape of a value that has one of two shapes, as far as they agree; nothing if not even their ranks do.
std::optional<Shape> either_shape(const std::optional<Shape>& a, const std::optional<Shape>& b);

}  // namespace quantize
