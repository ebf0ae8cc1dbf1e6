// What may be computed together with the operator before it: a clamp, or a function.
#pragma once

#include <vector>

#include "core/graph.h"
#include "core/quantization/candidates.h"

namespace quantize {

/// True for a Conv of two spatial axes.
bool is_image_conv(const Graph& graph, const Node& node);

/// For each node, the nodes behind it that alone read what it computes and that a runtime could apply before
/// it rounds.
class Tails {
 public:
  struct Tail {
    std::vector<NodeId> nodes;  // in order; none: the node's own output ends it
    bool is_function = false;   // else a clamp
  };

  explicit Tails(std::vector<Tail> tails);

  /// Where the computation of the node would end; kNoNode: with itself.
  NodeId last(NodeId n) const { return nodes(n).empty() ? kNoNode : nodes(n).back(); }
  const std::vector<NodeId>& nodes(NodeId n) const { return tails_[static_cast<size_t>(n)].nodes; }
  bool is_function(NodeId n) const { return tails_[static_cast<size_t>(n)].is_function; }

  /// The node that would compute the value, with its tail; kNoNode for inputs and constants.
  NodeId maker(const GraphIndex& index, ValueId id) const {
    const NodeId producer = index.producer(id);
    if (producer == kNoNode || before_[static_cast<size_t>(producer)] == kNoNode) return producer;
    return before_[static_cast<size_t>(producer)];
  }

 private:
  std::vector<Tail> tails_;     // per node
  std::vector<NodeId> before_;  // per node: whose tail it ends
};

/// A clamp behind any candidate; a function behind an image convolution among them if `functions`.
Tails find_tails(const Graph& graph, const GraphIndex& index, const std::vector<Candidate>& candidates,
                 bool functions);

}  // namespace quantize
