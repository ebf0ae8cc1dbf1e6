// Which nodes the user wants quantized: --include, --exclude, --op-types, --exclude-op-types.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "core/graph.h"
#include "core/quantization/scheme.h"

namespace quantize {

/// An ECMAScript expression. Errors: Error(kInvalidArgument) with the option for one that is none, is empty, or has more
/// than 1000 characters.
std::regex compile_selector(const std::string& option, const std::string& pattern);

/// True if the expression is found in the name of a node or value. Errors: Error(kUnsupported) for a name of more than
/// 4096 characters.
bool selects(const std::regex& selector, const std::string& name);

/// The user's choice of nodes.
class NodeSelection {
 public:
  /// Errors: Error(kInvalidArgument) for a regular expression that is none, or an empty one.
  explicit NodeSelection(const QuantizationScheme& scheme);

  /// Why the user does not want the node quantized; nothing: the user does.
  std::optional<std::string> reason(const Node& node) const;

 private:
  std::vector<std::regex> include_, exclude_;
  const QuantizationScheme& scheme_;
};

/// The operator that the model's file has for a node of the prepared graph
/// (QuantizationScheme::source_op_types).
const std::string& source_op_type(const QuantizationScheme& scheme, const Node& node);

/// One expression, operator type or rule, and the nodes or values that it names.
struct Selector {
  std::string option, text;
  std::vector<std::string> nodes;
  std::vector<std::string> values = {};  // of a rule for values
};

/// Looks up every expression and operator type of the scheme in the prepared graph. An operator type means
/// that of the source: `scheme.source_op_types` and `scheme.added_nodes` are filled for it. Requires:
/// `prepared` made from `source` by open_model(). Errors: Error(kInvalidArgument) for one that names no node,
/// with the names near it or, where preparing has removed what it names, with these; and for an override of a
/// value that the graph does not have.
std::vector<Selector> resolve_selectors(const Graph& source, const Graph& prepared,
                                        QuantizationScheme& scheme);

}  // namespace quantize
