// Nodes behind an anchor that can be computed together with it. One grammar for the plan, lowering and the engine; what
// each of them takes is said by its rules. Read ChainRules, then chain_behind().
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/fusion/function_pattern.h"
#include "core/fusion/patterns.h"
#include "core/graph.h"

namespace quantize {

/// A part of a chain.
enum class ChainPart {
  kClamp,     // a Relu or Clip with constant bounds
  kFunction,  // any Function of kernels/integer.h
  kAddition,  // of another image: the residual
  kTable,     // a table of codes
};

/// The parts that a runtime takes. Each may be missing; they stand in this order:
///
///   chain = clamp | [function] [addition [clamp]] [table]
struct ChainRules {
  bool clamp = false, function = false, addition = false, table = false;
  bool clamp_behind_function = false;  // also with no addition in between
  bool shield = true;                  // a shield counts as a clamp
  /// The residual of an addition behind a function may be computed after the anchor.
  bool late_residual = true;
  float tolerance = kSpelledForCodes;  // of the function: see function_behind
  /// True if this node may be taken (for a function: each of its nodes). Empty: any may.
  std::function<bool(ChainPart part, NodeId node)> takes = {};
  /// Values with (*keep)[id] are seen by others: no part is taken that would hide one. nullptr: none is.
  const std::vector<bool>* keep = nullptr;
  bool hides_anchor = true;  // the anchor is computed together with the chain
};

/// The nodes behind an anchor, by part.
struct Chain {
  std::optional<FunctionPattern> function;
  std::optional<ImageAddition> addition;
  NodeId clamp = kNoNode;
  NodeId table = kNoNode;

  /// The clamp, if it stands at the anchor itself.
  NodeId own_clamp() const { return function || addition ? kNoNode : clamp; }
  /// The last node of each part, in order.
  std::vector<NodeId> links() const;
  /// All nodes of the chain, in order.
  std::vector<NodeId> nodes() const;
};

/// The longest chain of these rules behind `anchor`, a value. Each value between its nodes is read by the chain alone
/// and is no output.
Chain chain_behind(const Graph& graph, const GraphIndex& index, ValueId anchor, const ChainRules& rules);

/// The chains behind all nodes of a graph. An addition whose operands both end a chain that could take it belongs to the
/// later anchor: then the residual is there when that one runs.
class Chains {
 public:
  /// `rules_of` is asked for each node; rules without a part: the node is no anchor.
  Chains(const Graph& graph, const GraphIndex& index, const std::function<ChainRules(NodeId)>& rules_of);

  const Chain& of(NodeId anchor) const { return chains_[static_cast<size_t>(anchor)]; }
  /// The anchor or link whose next link `n` is; kNoNode: of none.
  NodeId before(NodeId n) const { return before_[static_cast<size_t>(n)]; }

 private:
  std::vector<Chain> chains_;   // per node
  std::vector<NodeId> before_;  // per node
};

}  // namespace quantize
