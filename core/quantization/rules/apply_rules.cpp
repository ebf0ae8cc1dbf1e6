// Modes first, since they decide which weights can be told something.
#include "core/quantization/rules/apply_rules.h"

#include "core/error.h"
#include "core/fusion/patterns.h"
#include "core/passes/passes.h"
#include "core/quantization/check_overrides.h"
#include "core/quantization/rules/select.h"

namespace quantize {

namespace {

template <typename Body>
void with_rule(size_t number, const Rule& rule, const Body& body) {
  with_context([&] { return "rule " + std::to_string(number) + " " + rule.text; }, body);
}

bool wants_something(const ValueOverride& specific) {
  return !(specific == ValueOverride{});
}

/// Tells the values of one graph what rules want of them.
class Teller {
 public:
  Teller(const Graph& graph, const QuantizationScheme& scheme, const TargetProfile& target)
      : graph_(graph), index_(graph), checker_(graph, scheme, target) {}

  /// Errors: those of apply_rules().
  void tell(const Rule& rule, const Selection& selection, AppliedRule& applied) {
    const auto told = told_values(rule, selection);
    for (const auto& [id, specific] : told) {
      const std::string& name = graph_.value(id).name;
      if (std::string reason = flaw(name, *specific); !reason.empty()) {
        applied.left_out.emplace_back(name, std::move(reason));
        continue;
      }
      merge_override(overrides_[name], *specific);
      applied.values.push_back(name);
    }
    const bool for_values = wants_something(rule.activations) || wants_something(rule.weights);
    const bool selected = !selection.nodes.empty() || !selection.values.empty();
    if (!for_values || !selected || !applied.values.empty() || rule.selects.may_be_empty) return;
    if (told.empty())
      throw Error(ErrorKind::kInvalidArgument, "none of the nodes has weights to set this for");
    throw Error(ErrorKind::kInvalidArgument, "no value can take this: of '" + applied.left_out.front().first +
                                                 "' " + applied.left_out.front().second);
  }

  const std::map<std::string, ValueOverride>& overrides() const { return overrides_; }

 private:
  using Told = std::vector<std::pair<ValueId, const ValueOverride*>>;

  /// The values that a rule tells something, each with what it is told.
  Told told_values(const Rule& rule, const Selection& selection) const {
    Told told;
    for (const ValueId id : selection.values)
      told.emplace_back(id, graph_.value(id).is_constant() ? &rule.weights : &rule.activations);
    for (const NodeId n : selection.nodes) {
      const Node& node = graph_.nodes[static_cast<size_t>(n)];
      if (wants_something(rule.weights))
        for (const ValueId id : weights_of(graph_, node)) told.emplace_back(id, &rule.weights);
      if (wants_something(rule.activations))
        for (const ValueId id : node.outputs) tell_with_clamps(id, rule.activations, told);
    }
    return told;
  }

  /// A clamp that alone reads the value is computed with the node, and its result is what is rounded.
  void tell_with_clamps(ValueId id, const ValueOverride& specific, Told& told) const {
    while (id != kNoValue) {
      told.emplace_back(id, &specific);
      if (index_.is_output(id) || index_.uses(id).size() != 1) return;
      const Node& reader = graph_.nodes[static_cast<size_t>(index_.uses(id)[0].node)];
      if (!constant_clamp(graph_, reader)) return;
      id = reader.outputs[0];
    }
  }

  /// Why the value cannot take the override; "": it can.
  std::string flaw(const std::string& value, const ValueOverride& specific) const {
    try {
      checker_.check(value, specific);
      return "";
    } catch (const Error& error) {
      return error.message();
    }
  }

  const Graph& graph_;
  const GraphIndex index_;
  const OverrideChecker checker_;
  std::map<std::string, ValueOverride> overrides_;
};

}  // namespace

std::vector<AppliedRule> apply_rules(const Graph& source, const Graph& prepared, const TargetProfile& target,
                                     QuantizationScheme& scheme) {
  if (scheme.rules.empty()) return {};
  Graph named = source;
  name_nodes(named);
  std::vector<AppliedRule> applied(scheme.rules.size());
  std::vector<Selection> selections(scheme.rules.size());
  for (size_t r = 0; r < scheme.rules.size(); ++r) {
    const Rule& rule = scheme.rules[r];
    with_rule(r + 1, rule, [&] { selections[r] = select(named, prepared, scheme, rule.selects); });
    applied[r].text = rule.text;
    applied[r].needs_rounding = !rule.mode && rule.activations.enabled.value_or(true);
    for (const NodeId n : selections[r].nodes) {
      const std::string& name = prepared.nodes[static_cast<size_t>(n)].name;
      applied[r].nodes.push_back(name);
      if (rule.mode) scheme.node_modes[name] = rule.mode->empty() ? scheme.mode : *rule.mode;
    }
  }
  Teller teller(prepared, scheme, target);
  for (size_t r = 0; r < scheme.rules.size(); ++r)
    with_rule(r + 1, scheme.rules[r], [&] { teller.tell(scheme.rules[r], selections[r], applied[r]); });
  std::map<std::string, ValueOverride> overrides = teller.overrides();
  for (const auto& [value, specific] : scheme.overrides) merge_override(overrides[value], specific);
  scheme.overrides = std::move(overrides);
  return applied;
}

std::string idle_reason(const PlannedModel& planned, const std::vector<std::string>& values) {
  std::string reason;
  for (const std::string& name : values) {
    const ValueId id = planned.graph.find_value(name);
    if (id == kNoValue || planned.graph.value(id).is_constant()) return "";
    const PlannedValue& value = planned.plan.values[static_cast<size_t>(id)];
    if (value.params) return "";
    if (reason.empty()) reason = "'" + name + "' is not rounded: " + value.reason;
  }
  return reason;
}

}  // namespace quantize
