// Models with operators that this program does not know (--keep-unknown). Read cut_unknown().
#pragma once

#include <string>
#include <vector>

#include "core/graph.h"

namespace quantize {

/// The nodes whose operator is not known at its opset; with `in_bodies`, those with such an operator in a body, too.
std::vector<NodeId> unknown_nodes(const Graph& graph, bool in_bodies = true);

/// The values that nodes write which are not known, or depend on such: samples of them can be fed.
std::vector<ValueId> values_of_unknown(const Graph& model);

/// "node 'norm' (MagicNorm of domain 'acme.ai')"; one without a name is "the node that makes 'y'".
std::string describe_unknown(const Graph& graph, const Node& node);

/// A model in two parts, cut where the first operators that are not known read their inputs.
struct CutModel {
  /// All that depends on no such operator but by values that are fed: a model whose outputs are those of the whole and
  /// what the tail reads.
  Graph head;
  /// Such operators and all that depends on them, as they were. Its inputs are outputs and inputs of the head, or
  /// inputs of the whole, by their names.
  Graph tail;
  std::vector<std::string> inputs, outputs;  // of the whole, in their order
  std::vector<std::string> fed;              // values that the tail makes and the head takes as inputs
  std::string cause;                         // describe_unknown of the first such operator
};

/// Cuts a model with unknown operators. What depends on them by `fed` values alone, of which there will be samples,
/// belongs to the head. The constants of the head are folded. Requires: the graph is valid.
/// Errors: Error(kUnsupported) if nothing stands in front of them, or if the model held f16 or bf16, which an
/// unknown operator may want; those of infer_and_fold.
CutModel cut_unknown(const Graph& model, const std::vector<std::string>& fed = {});

/// The head, which may have been changed but for the names of its inputs and outputs, with the tail behind it. The
/// opset is the higher one of both. Errors: Error(kUnsupported) if the tail's nodes cannot be had in it.
Graph rejoin(Graph head, const CutModel& cut);

}  // namespace quantize
