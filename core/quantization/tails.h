// Operators that can be computed together with the one before them: a clamp, a function, a residual addition.
#pragma once

#include <optional>
#include <vector>

#include "core/fusion/function_pattern.h"
#include "core/fusion/patterns.h"
#include "core/graph.h"
#include "core/quantization/candidates.h"
#include "core/quantization/target.h"

namespace quantize {

/// A tail of a node is the clamp, activation function or residual addition that alone reads its result. A
/// runtime can apply it before it rounds. This class finds the tails of every node.
class Tails {
 public:
  /// Finds a clamp behind each candidate; else a function and an addition, if the target can apply them
  /// (TargetProfile::find_fusion) and the user excludes no part of them.
  Tails(const Graph& graph, const GraphIndex& index, const std::vector<Candidate>& candidates,
        const TargetProfile& target);

  /// The clamp behind the node; kNoNode: there is none.
  NodeId clamp(NodeId n) const { return clamps_[static_cast<size_t>(n)]; }
  /// The function behind the node.
  const std::optional<FunctionPattern>& function(NodeId n) const {
    return functions_[static_cast<size_t>(n)];
  }
  /// The addition of a residual behind the node or behind its function. Behind a function, the residual must
  /// be computed before the node. If each operand of the Add could take the other as its residual, the later
  /// one does. A clamp may follow.
  const std::optional<ImageAddition>& addition(NodeId n) const { return additions_[static_cast<size_t>(n)]; }

  /// The node whose tail `n` is, or could be, or whose function it ends; kNoNode: of none.
  NodeId before(NodeId n) const { return before_[static_cast<size_t>(n)]; }

 private:
  void find_function(const Graph& graph, const GraphIndex& index, const std::vector<Candidate>& candidates,
                     NodeId conv);
  void find_addition(const Graph& graph, const GraphIndex& index, const std::vector<Candidate>& candidates,
                     NodeId conv);

  std::vector<NodeId> clamps_;  // all per node
  std::vector<std::optional<FunctionPattern>> functions_;
  std::vector<std::optional<ImageAddition>> additions_;
  std::vector<NodeId> before_;
};

}  // namespace quantize
