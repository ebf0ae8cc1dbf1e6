// Shape inference of one node after the other, for passes that change nodes on the way.
#pragma once

#include <optional>
#include <vector>

#include "core/graph.h"

namespace quantize {

/// The types and shapes of a graph's values, node by node.
class ShapeInference {
 public:
  explicit ShapeInference(Graph& graph);

  /// Sets the types and shapes of what the node computes. Its inputs are inputs of the graph, constants, or were set
  /// before. Errors: those of infer_shapes, without context.
  void infer(Node& node);

 private:
  Graph& graph_;
  std::vector<std::optional<Shape>> known_;  // per value: the elements of small integer tensors
};

}  // namespace quantize
