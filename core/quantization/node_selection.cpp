// Expressions and operator types against the nodes of a graph.
#include "core/quantization/node_selection.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "core/integer/forms.h"
#include "core/near_names.h"
#include "core/passes/passes.h"
#include "core/quantization/reasons.h"

namespace quantize {

std::regex compile_selector(const std::string& option, const std::string& pattern) {
  if (pattern.empty())
    throw Error(ErrorKind::kInvalidArgument,
                option + " '' is empty and would name every node; write '.*' if that is meant");
  constexpr size_t kLongest = 1000;  // compiling one takes a stack frame for each parenthesis
  if (pattern.size() > kLongest)
    throw Error(ErrorKind::kInvalidArgument, option + " has " + std::to_string(pattern.size()) +
                                                 " characters; an expression may have " +
                                                 std::to_string(kLongest));
  try {
    return std::regex(pattern, std::regex::ECMAScript);
  } catch (const std::regex_error& error) {
    throw Error(ErrorKind::kInvalidArgument,
                option + " '" + pattern + "' is no regular expression: " + error.what());
  }
}

bool selects(const std::regex& selector, const std::string& name) {
  constexpr size_t kLongest = 4096;  // the search may take stack frames for each character
  if (name.size() > kLongest)
    throw Error(ErrorKind::kUnsupported, "the name '" + name.substr(0, 40) + "...' has " +
                                             std::to_string(name.size()) +
                                             " characters, too many for expressions (at most " +
                                             std::to_string(kLongest) + "); give it a shorter one");
  return std::regex_search(name, selector);
}

namespace {

std::vector<std::regex> compile(const std::string& option, const std::vector<std::string>& patterns) {
  std::vector<std::regex> result;
  for (const std::string& pattern : patterns) result.push_back(compile_selector(option, pattern));
  return result;
}

bool matches(const std::vector<std::regex>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::regex& pattern) { return selects(pattern, name); });
}

/// An expression without what only regular expressions have, for a comparison with names.
std::string plain(const std::string& pattern) {
  std::string text;
  for (char c : pattern)
    if (std::string("^$\\*+?()[]{}|").find(c) == std::string::npos) text += c;
  return text;
}

Graph named(Graph graph) {
  name_nodes(graph);
  return graph;
}

/// Looks selectors up in one model.
class Resolver {
 public:
  Resolver(const Graph& source, const Graph& prepared, const QuantizationScheme& scheme)
      : source_(named(source)), prepared_(prepared), scheme_(scheme) {
    std::set<std::string> seen;
    for (const Node& node : prepared.nodes) {
      names_.push_back(node.name);
      if (seen.insert(source_op_type(scheme, node)).second) op_types_.push_back(source_op_type(scheme, node));
    }
  }

  Selector expression(const std::string& option, const std::string& pattern) const {
    const std::regex regex = compile_selector(option, pattern);
    const auto fits = [&](const Node& node) { return selects(regex, node.name); };
    Selector selector{option, pattern, names_that(prepared_, fits)};
    if (!selector.nodes.empty()) return selector;
    refuse_removed(selector, fits);
    throw Error(ErrorKind::kInvalidArgument, option + " '" + pattern + "' names no node of the model" +
                                                 near_names_hint(plain(pattern), names_));
  }

  Selector op_type(const std::string& option, const std::string& type) const {
    Selector selector{option, type, names_that(prepared_, [&](const Node& node) {
                        return source_op_type(scheme_, node) == type;
                      })};
    if (!selector.nodes.empty()) return selector;
    refuse_removed(selector, [&](const Node& node) { return node.op_type == type; });
    throw Error(ErrorKind::kInvalidArgument,
                option + " '" + type + "' names no operator of the model" + near_names_hint(type, op_types_));
  }

  void value(const std::string& name) const {
    if (prepared_.find_value(name) != kNoValue) return;
    if (source_.find_value(name) != kNoValue)
      throw Error(ErrorKind::kInvalidArgument, "the overrides name '" + name +
                                                   "', which is no longer there once the model is prepared; "
                                                   "'quantize inspect --names' lists the values that are");
    std::vector<std::string> names;
    for (const Value& value : prepared_.values) names.push_back(value.name);
    throw Error(ErrorKind::kInvalidArgument, "the overrides name '" + name + "', but no value is called so" +
                                                 near_names_hint(name, names));
  }

 private:
  template <typename Fits>
  static std::vector<std::string> names_that(const Graph& graph, const Fits& fits) {
    std::vector<std::string> names;
    for (const Node& node : graph.nodes)
      if (fits(node)) names.push_back(node.name);
    return names;
  }

  /// Refuses what names only nodes that preparing the model has folded into others.
  template <typename Fits>
  void refuse_removed(const Selector& selector, const Fits& fits) const {
    const std::vector<std::string> removed = names_that(source_, fits);
    if (removed.empty()) return;
    throw Error(ErrorKind::kInvalidArgument,
                selector.option + " '" + selector.text +
                    "' names only what is folded into other nodes before anything " +
                    "is quantized, such as '" + removed.front() +
                    "'; 'quantize inspect --names' lists the nodes that are left");
  }

  const Graph source_;
  const Graph& prepared_;
  const QuantizationScheme& scheme_;
  std::vector<std::string> names_, op_types_;
};

/// By node name: the operator of the source, where preparing has made another of it.
std::map<std::string, std::string> changed_op_types(const Graph& source, const Graph& prepared) {
  std::map<std::string, std::string> types;
  for (const Node& node : source.nodes) types[node.name] = node.op_type;  // as name_nodes leaves them
  std::map<std::string, std::string> changed;
  for (const Node& node : prepared.nodes)
    if (const auto found = types.find(node.name);
        !node.name.empty() && found != types.end() && found->second != node.op_type)
      changed[node.name] = found->second;
  return changed;
}

/// The nodes that move elements and have no namesake in the source.
std::set<std::string> added_nodes(const Graph& source, const Graph& prepared) {
  std::set<std::string> known, added;
  for (const Node& node : source.nodes) known.insert(node.name);
  for (const Node& node : prepared.nodes)
    if (!known.contains(node.name) && quantization_of(prepared, node) == QuantizationRule::kPassThrough)
      added.insert(node.name);
  return added;
}

}  // namespace

const std::string& source_op_type(const QuantizationScheme& scheme, const Node& node) {
  const auto found = scheme.source_op_types.find(node.name);
  return found == scheme.source_op_types.end() ? node.op_type : found->second;
}

NodeSelection::NodeSelection(const QuantizationScheme& scheme)
    : include_(compile("--include", scheme.include)),
      exclude_(compile("--exclude", scheme.exclude)),
      scheme_(scheme) {}

std::optional<std::string> NodeSelection::reason(const Node& node) const {
  if (!include_.empty() && !matches(include_, node.name)) return text_of(Cause::kNotIncluded);
  if (matches(exclude_, node.name)) return text_of(Cause::kExcludedByName);
  if (scheme_.float_nodes.contains(node.name)) return text_of(Cause::kToMeetBound);
  const std::string& type = source_op_type(scheme_, node);
  const auto listed = [&](const std::vector<std::string>& types) {
    return std::find(types.begin(), types.end(), type) != types.end();
  };
  if (!scheme_.op_types.empty() && !listed(scheme_.op_types)) return text_of(Cause::kNotOfTypes);
  if (listed(scheme_.exclude_op_types)) return text_of(Cause::kExcludedByType);
  return std::nullopt;
}

std::vector<Selector> resolve_selectors(const Graph& source, const Graph& prepared,
                                        QuantizationScheme& scheme) {
  scheme.source_op_types = changed_op_types(named(source), prepared);
  scheme.added_nodes = added_nodes(named(source), prepared);
  const Resolver resolver(source, prepared, scheme);
  std::vector<Selector> selectors;
  for (const std::string& pattern : scheme.include)
    selectors.push_back(resolver.expression("--include", pattern));
  for (const std::string& pattern : scheme.exclude)
    selectors.push_back(resolver.expression("--exclude", pattern));
  for (const std::string& type : scheme.op_types) selectors.push_back(resolver.op_type("--op-types", type));
  for (const std::string& type : scheme.exclude_op_types)
    selectors.push_back(resolver.op_type("--exclude-op-types", type));
  for (const ModeRule& rule : scheme.mode_rules) {
    selectors.push_back(resolver.expression("--mode", rule.nodes));
    selectors.back().text = rule.mode + "=" + rule.nodes;
  }
  for (const BitsRule& rule : scheme.bits_rules) {
    selectors.push_back(resolver.expression("--activation-bits", rule.nodes));
    selectors.back().text = std::to_string(rule.bits) + "=" + rule.nodes;
  }
  for (const auto& [value, specific] : scheme.overrides) resolver.value(value);
  return selectors;
}

}  // namespace quantize
