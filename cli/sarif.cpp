#include "cli/sarif.h"

namespace quantize {

namespace {

Json rules_json() {
  Json rules = Json::array();
  for (const FlawRule& rule : flaw_rules()) {
    Json entry = {{"id", rule.id},
                  {"shortDescription", {{"text", rule.sentence}}},
                  {"defaultConfiguration", {{"level", name_of(rule.level)}}}};
    if (*rule.remedy != '\0') entry["help"] = {{"text", rule.remedy}};
    rules.push_back(std::move(entry));
  }
  return rules;
}

Json result_json(const std::string& model, const Graph& graph, const NodeForecast& finding) {
  const FlawRule& rule = rule_of(*finding.flaw);
  Json location = {{"physicalLocation", {{"artifactLocation", {{"uri", model}}}}}};
  std::string text = finding.reason;
  if (finding.node != kNoNode) {
    const Node& node = graph.nodes[static_cast<size_t>(finding.node)];
    const std::string name = name_of_node(graph, node);
    text = node.op_type + " '" + name + "': " + text;
    location["logicalLocations"] = {{{"name", name}, {"kind", "node"}}};
  }
  return {{"ruleId", rule.id},
          {"level", name_of(rule.level)},
          {"message", {{"text", text}}},
          {"locations", {location}}};
}

}  // namespace

const char* name_of(FlawLevel level) {
  switch (level) {
    case FlawLevel::kNote:
      return "note";
    case FlawLevel::kWarning:
      return "warning";
    case FlawLevel::kError:
      return "error";
  }
  return "";
}

Json sarif_of(const std::string& model, const Graph& graph, const Forecast& forecast) {
  Json results = Json::array();
  if (forecast.refusal) results.push_back(result_json(model, graph, *forecast.refusal));
  for (const NodeForecast& node : forecast.nodes)
    if (node.flaw) results.push_back(result_json(model, graph, node));
  const Json driver = {{"name", "quantize"}, {"version", QUANTIZE_VERSION}, {"rules", rules_json()}};
  return {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
          {"version", "2.1.0"},
          {"runs", {{{"tool", {{"driver", driver}}}, {"results", results}}}}};
}

}  // namespace quantize
