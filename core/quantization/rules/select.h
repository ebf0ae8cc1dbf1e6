// Which part of a network a rule names.
#pragma once

#include <string>
#include <vector>

#include "core/graph.h"
#include "core/quantization/scheme.h"

namespace quantize {

/// The nodes or values of a prepared graph that a rule names, in the order of the graph.
struct Selection {
  std::vector<NodeId> nodes;    // of a rule for nodes
  std::vector<ValueId> values;  // of any other
};

/// True if '*' (any text) and '?' (any character) make `name` of the whole pattern. Linear in the lengths' product.
bool matches_glob(const std::string& pattern, const std::string& name);

/// Selects what all criteria of a rule have in common. A value belongs to the node that computes it, weights to the nodes
/// that read them: so op_types, from and to select values. A name of both a node and a value in from or to is the node.
///
/// Requires: `prepared` made from `source` by open_model(), nodes named by name_nodes(), the scheme resolved by
/// resolve_selectors().
/// Errors: Error(kInvalidArgument) for an expression that is none, and, unless the rule may be empty, for a criterion that
/// nothing fulfils, with the names near it or, where preparing has removed what it names, with these.
Selection select(const Graph& source, const Graph& prepared, const QuantizationScheme& scheme,
                 const RuleSelector& selector);

/// The constants that a node reads as its weights.
std::vector<ValueId> weights_of(const Graph& graph, const Node& node);

}  // namespace quantize
