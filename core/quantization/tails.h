// What may be computed together with the operator before it: a clamp, or a function.
#pragma once

#include <optional>
#include <vector>

#include "core/graph.h"
#include "core/passes/function_pattern.h"
#include "core/quantization/candidates.h"

namespace quantize {

/// True for a Conv of two spatial axes.
bool is_image_conv(const Graph& graph, const Node& node);

/// For each node, the nodes behind it that alone read what it computes and that a runtime could apply before
/// it rounds.
class Tails {
 public:
  /// A clamp behind any candidate; if `functions`, a function behind an image convolution among them, unless
  /// the user excludes a part of it.
  Tails(const Graph& graph, const GraphIndex& index, const std::vector<Candidate>& candidates,
        bool functions);

  /// The clamp behind the node; kNoNode: there is none.
  NodeId clamp(NodeId n) const { return clamps_[static_cast<size_t>(n)]; }
  /// The function behind the node.
  const std::optional<FunctionPattern>& function(NodeId n) const {
    return functions_[static_cast<size_t>(n)];
  }

  /// The node that would compute the value, with its tail; kNoNode for inputs and constants.
  NodeId maker(const GraphIndex& index, ValueId id) const {
    const NodeId producer = index.producer(id);
    if (producer == kNoNode || before_[static_cast<size_t>(producer)] == kNoNode) return producer;
    return before_[static_cast<size_t>(producer)];
  }

 private:
  std::vector<NodeId> clamps_;  // all per node
  std::vector<std::optional<FunctionPattern>> functions_;
  std::vector<NodeId> before_;  // whose tail it ends
};

}  // namespace quantize
