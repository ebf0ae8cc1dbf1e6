// Read look_up() first.
#include "cli/selected.h"

#include <set>

#include "cli/quantize_report.h"
#include "cli/text.h"
#include "core/quantization/check_scheme.h"

namespace quantize {

namespace {

constexpr size_t kIndent = 6;

std::string names_line(const std::vector<std::string>& names, const std::string& noun) {
  if (names.empty()) return "";
  return "    " +
         wrapped(format_plural(names.size(), noun) + ": " + join(names, ", "), kTextWidth - 4, kIndent) +
         "\n";
}

Json rule_json(const AppliedRule& rule, size_t number) {
  Json json = {{"rule", number},
               {"settings", Json::parse(rule.text)},
               {"nodes", rule.nodes},
               {"values", rule.values},
               {"left_out", Json::array()}};
  for (const auto& [value, reason] : rule.left_out)
    json["left_out"].push_back({{"value", value}, {"reason", reason}});
  return json;
}

std::string rule_text(const AppliedRule& rule, size_t number) {
  std::string text = "  rule " + std::to_string(number) + " " + rule.text + "\n";
  if (rule.nodes.empty() && rule.values.empty() && rule.left_out.empty()) text += "    nothing, as it may\n";
  text += names_line(rule.nodes, "node") + names_line(rule.values, "value");
  for (const auto& [value, reason] : rule.left_out)
    text += "    " + wrapped("not '" + value + "': " + reason, kTextWidth - 4, kIndent) + "\n";
  return text;
}

}  // namespace

Selected look_up(const Graph& source, const Graph& graph, const TargetProfile& target,
                 QuantizationScheme& scheme) {
  Selected selected;
  selected.selectors = resolve_selectors(source, graph, scheme);
  selected.rules = apply_rules(source, graph, target, scheme);
  check_scheme(graph, scheme, target);
  return selected;
}

std::vector<Selector> all_selectors(const Selected& selected, Console& console) {
  std::vector<Selector> selectors = selected.selectors;
  for (size_t r = 0; r < selected.rules.size(); ++r) {
    const AppliedRule& rule = selected.rules[r];
    selectors.push_back(
        {"--recipe", "rule " + std::to_string(r + 1) + " " + rule.text, rule.nodes, rule.values});
  }
  for (const Selector& selector : selectors) console.explain(selector_text(selector));
  return selectors;
}

void warn_of_idle_wishes(const Selected& selected, const QuantizationScheme& scheme,
                         const PlannedModel& planned, Diagnostics& diagnostics) {
  std::set<std::string> of_rules;
  for (const AppliedRule& rule : selected.rules) {
    of_rules.insert(rule.values.begin(), rule.values.end());
    const std::string reason = rule.needs_rounding ? idle_reason(planned, rule.values) : "";
    if (!reason.empty()) diagnostics.warn("the recipe's rule " + rule.text + " changes nothing: " + reason);
  }
  for (const auto& [value, specific] : scheme.overrides) {
    if (of_rules.contains(value) || specific.known || !specific.enabled.value_or(true)) continue;
    const std::string reason = idle_reason(planned, {value});
    if (!reason.empty()) diagnostics.warn("the override of '" + value + "' changes nothing: " + reason);
  }
}

Report dry_run_report(const std::string& model, const std::string& target, const Selected& selected) {
  Report report;
  report.json = {
      {"model", model}, {"target", target}, {"rules", Json::array()}, {"selectors", Json::array()}};
  report.text = model + ", for target " + target + ":\n";
  for (size_t r = 0; r < selected.rules.size(); ++r) {
    report.json["rules"].push_back(rule_json(selected.rules[r], r + 1));
    report.text += rule_text(selected.rules[r], r + 1);
  }
  for (const Selector& selector : selected.selectors) {
    report.json["selectors"].push_back(selector_json(selector));
    report.text += "  " + selector.option + " '" + selector.text + "'\n" + names_line(selector.nodes, "node");
  }
  if (selected.rules.empty() && selected.selectors.empty()) report.text += "  no rule and no selector\n";
  report.text += "nothing is written\n";
  return report;
}

}  // namespace quantize
