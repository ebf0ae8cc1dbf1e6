// Each criterion makes a set of nodes or values; select(), at the end, intersects them.
#include "core/quantization/rules/select.h"

#include <algorithm>
#include <functional>
#include <set>

#include "core/error.h"
#include "core/integer/forms.h"
#include "core/near_names.h"
#include "core/quantization/modes/store_weights.h"
#include "core/quantization/node_selection.h"

namespace quantize {

namespace {

using Nodes = std::set<NodeId>;
using Values = std::set<ValueId>;
using NameTest = std::function<bool(const std::string& name)>;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, message);
}

/// The test of a name, and its text for messages.
struct NameCriterion {
  std::string key, text;
  NameTest fits;
};

std::vector<NameCriterion> name_criteria(const RuleSelector& selector) {
  std::vector<NameCriterion> criteria;
  if (selector.regex) {
    const std::regex regex = compile_selector("\"regex\"", *selector.regex);
    criteria.push_back(
        {"regex", *selector.regex, [regex](const std::string& name) { return selects(regex, name); }});
  }
  if (selector.glob)
    criteria.push_back({"glob", *selector.glob, [glob = *selector.glob](const std::string& name) {
                          return matches_glob(glob, name);
                        }});
  return criteria;
}

std::string without_wildcards(const std::string& pattern) {
  std::string text;
  for (const char c : pattern)
    if (std::string("^$\\*+?()[]{}|").find(c) == std::string::npos) text += c;
  return text;
}

class RuleReader {
 public:
  RuleReader(const Graph& source, const Graph& prepared, const QuantizationScheme& scheme,
             const RuleSelector& selector)
      : source_(source), graph_(prepared), index_(prepared), scheme_(scheme), selector_(selector) {}

  Selection run() const {
    const Nodes all = all_nodes();
    Nodes nodes = all;
    for (const auto& part : {of_types(), on_paths()})
      if (part) std::erase_if(nodes, [&](NodeId n) { return !part->contains(n); });
    Selection selection;
    if (selector_.of == RuleSelector::Kind::kNodes)
      selection.nodes =
          with_names(all, nodes, [&](NodeId n) { return graph_.nodes[static_cast<size_t>(n)].name; });
    else
      selection.values =
          with_names(all_values(), values_of(nodes), [&](ValueId id) { return graph_.value(id).name; });
    if (selection.nodes.empty() && selection.values.empty())
      refuse("it selects nothing: each of its criteria names something, but nothing fulfils all of them");
    return selection;
  }

 private:
  Nodes all_nodes() const {
    Nodes nodes;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) nodes.insert(static_cast<NodeId>(n));
    return nodes;
  }

  bool takes(const Value& value) const {
    using Kind = RuleSelector::Kind;
    return !value.name.empty() &&
           (selector_.of == Kind::kValues || value.is_constant() == (selector_.of == Kind::kWeights));
  }

  /// The values that the rule is for.
  Values all_values() const {
    Values values;
    for (size_t v = 0; v < graph_.values.size(); ++v)
      if (takes(graph_.values[v])) values.insert(static_cast<ValueId>(v));
    return values;
  }

  /// The values among them that belong to the nodes, or all where no criterion is about nodes.
  Values values_of(const Nodes& nodes) const {
    if (selector_.op_types.empty() && !selector_.from && !selector_.to) return all_values();
    Values values;
    for (const NodeId n : nodes) {
      const Node& node = graph_.nodes[static_cast<size_t>(n)];
      for (const ValueId id : weights_of(graph_, node)) values.insert(id);
      for (const ValueId id : node.outputs)
        if (id != kNoValue) values.insert(id);
    }
    std::erase_if(values, [&](ValueId id) { return !takes(graph_.value(id)); });
    return values;
  }

  /// The ids whose names fulfil all criteria of names. Each criterion must fit one of `all`.
  template <typename Id, typename NameOf>
  std::vector<Id> with_names(const std::set<Id>& all, std::set<Id> ids, const NameOf& name_of) const {
    for (const NameCriterion& criterion : name_criteria(selector_)) {
      const auto fits = [&](Id id) { return criterion.fits(name_of(id)); };
      if (std::none_of(all.begin(), all.end(), fits)) {
        std::vector<std::string> names;
        for (const Id id : all) names.push_back(name_of(id));
        refuse_name(criterion, names);
      }
      std::erase_if(ids, [&](Id id) { return !fits(id); });
    }
    return {ids.begin(), ids.end()};
  }

  [[noreturn]] void refuse_name(const NameCriterion& criterion, const std::vector<std::string>& names) const {
    const std::string what = selector_.of == RuleSelector::Kind::kNodes ? "node" : "value";
    refuse_removed("\"" + criterion.key + "\" '" + criterion.text + "'", criterion.fits);
    refuse("\"" + criterion.key + "\" '" + criterion.text + "' names no " + what +
           near_names_hint(without_wildcards(criterion.text), names));
  }

  /// Refuses a name that only the file has, not the prepared graph.
  void refuse_removed(const std::string& what, const NameTest& fits) const {
    const bool of_nodes = selector_.of == RuleSelector::Kind::kNodes;
    std::string removed;
    if (of_nodes || selector_.from || selector_.to)
      for (const Node& node : source_.nodes)
        if (removed.empty() && fits(node.name)) removed = node.name;
    if (!of_nodes || selector_.from || selector_.to)
      for (const Value& value : source_.values)
        if (removed.empty() && graph_.find_value(value.name) == kNoValue && fits(value.name))
          removed = value.name;
    if (!removed.empty())
      refuse(what + " names only what is no longer there once the model is prepared, such as '" + removed +
             "'; 'quantize inspect --names' lists what is");
  }

  std::optional<Nodes> of_types() const {
    if (selector_.op_types.empty()) return std::nullopt;
    Nodes nodes;
    std::set<std::string> types;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const std::string& type = source_op_type(scheme_, graph_.nodes[n]);
      types.insert(type);
      if (std::find(selector_.op_types.begin(), selector_.op_types.end(), type) != selector_.op_types.end())
        nodes.insert(static_cast<NodeId>(n));
    }
    for (const std::string& type : selector_.op_types)
      if (!types.contains(type))
        refuse("\"op_type\" '" + type + "' names no operator of the model" +
               near_names_hint(type, {types.begin(), types.end()}));
    return nodes;
  }

  /// The nodes that a name in "from" or "to" begins or ends with.
  Nodes ends(const std::string& key, const std::string& name, bool forward) const {
    for (size_t n = 0; n < graph_.nodes.size(); ++n)
      if (graph_.nodes[n].name == name) return {static_cast<NodeId>(n)};
    const ValueId id = graph_.find_value(name);
    if (id == kNoValue) refuse_end(key, name);
    Nodes nodes;
    if (forward)
      for (const GraphIndex::Use& use : index_.uses(id)) nodes.insert(use.node);
    else if (index_.producer(id) != kNoNode)
      nodes.insert(index_.producer(id));
    return nodes;
  }

  [[noreturn]] void refuse_end(const std::string& key, const std::string& name) const {
    refuse_removed("\"" + key + "\" '" + name + "'", [&](const std::string& other) { return other == name; });
    std::vector<std::string> names;
    for (const Node& node : graph_.nodes) names.push_back(node.name);
    for (const Value& value : graph_.values) names.push_back(value.name);
    refuse("\"" + key + "\" '" + name + "' names no node and no value" + near_names_hint(name, names));
  }

  /// The nodes and all behind them, or all in front of them.
  Nodes reached(Nodes nodes, bool forward) const {
    const size_t count = graph_.nodes.size();
    for (size_t i = 0; i < count; ++i) {  // nodes stand in topological order
      const auto n = static_cast<NodeId>(forward ? i : count - 1 - i);
      if (!nodes.contains(n)) continue;
      const Node& node = graph_.nodes[static_cast<size_t>(n)];
      for (const ValueId id : forward ? node.outputs : node.inputs) {
        if (id == kNoValue) continue;
        if (forward)
          for (const GraphIndex::Use& use : index_.uses(id)) nodes.insert(use.node);
        else if (index_.producer(id) != kNoNode)
          nodes.insert(index_.producer(id));
      }
    }
    return nodes;
  }

  std::optional<Nodes> on_paths() const {
    if (!selector_.from && !selector_.to) return std::nullopt;
    Nodes nodes = selector_.from ? reached(ends("from", *selector_.from, true), true) : all_nodes();
    if (selector_.to) {
      const Nodes before = reached(ends("to", *selector_.to, false), false);
      std::erase_if(nodes, [&](NodeId n) { return !before.contains(n); });
    }
    if (nodes.empty())
      refuse("no path leads " +
             (selector_.from ? "from '" + *selector_.from + "' " : std::string("through a node ")) +
             (selector_.to ? "to '" + *selector_.to + "'" : "through a node"));
    return nodes;
  }

  const Graph& source_;
  const Graph& graph_;
  const GraphIndex index_;
  const QuantizationScheme& scheme_;
  const RuleSelector& selector_;
};

}  // namespace

bool matches_glob(const std::string& pattern, const std::string& name) {
  size_t p = 0, n = 0, star = std::string::npos, after_star = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after_star = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p, ++n;
    } else if (star != std::string::npos) {
      p = star + 1;
      n = ++after_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string::npos;
}

std::vector<ValueId> weights_of(const Graph& graph, const Node& node) {
  std::vector<ValueId> weights;
  for (const WeightOperand& operand : weight_operands(graph, node))
    weights.push_back(node.inputs[operand.input]);
  return weights;
}

Selection select(const Graph& source, const Graph& prepared, const QuantizationScheme& scheme,
                 const RuleSelector& selector) {
  try {
    return RuleReader(source, prepared, scheme, selector).run();
  } catch (const Error&) {
    if (!selector.may_be_empty) throw;
    name_criteria(selector);  // refuses what is no expression
    return {};
  }
}

}  // namespace quantize
