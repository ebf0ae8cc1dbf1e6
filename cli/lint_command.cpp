// quantize lint: the forecast for a runtime, node by node.
#include "cli/lint_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>

#include "cli/console.h"
#include "cli/option_checks.h"
#include "cli/options.h"
#include "cli/sarif.h"
#include "cli/scheme_options.h"
#include "cli/text.h"
#include "core/atomic_file.h"
#include "core/passes/passes.h"
#include "core/quantization/forecast.h"

namespace quantize {

namespace {

struct LintOptions {
  std::string model, target = "ort-x86", fail_on, sarif;
  InputShapes input_shapes;
  bool explain = false;
};

// The model as its runtime sees it once it has folded constants; codes of constants stay codes.
Graph open_as_it_is(const LintOptions& options) {
  Graph graph = load_model(options.model, options.input_shapes);
  return with_context([&] { return options.model; },
                      [&] {
                        standardize_quantizers(graph);
                        infer_and_fold(graph, ConstantCodes::kKeep);
                        name_nodes(graph);
                        return std::move(graph);
                      });
}

std::vector<NodeForecast> findings_of(const Forecast& forecast) {
  std::vector<NodeForecast> findings;
  if (forecast.refusal) findings.push_back(*forecast.refusal);
  for (const NodeForecast& node : forecast.nodes)
    if (node.flaw) findings.push_back(node);
  return findings;
}

Json finding_json(const NodeForecast& each) {
  const FlawRule& rule = rule_of(*each.flaw);
  return {{"rule", rule.id},
          {"level", name_of(rule.level)},
          {"reason", each.reason},
          {"remedy", *rule.remedy == '\0' ? Json() : Json(rule.remedy)}};
}

Json nodes_json(const Graph& graph, const Forecast& forecast) {
  Json nodes = Json::array();
  for (const NodeForecast& each : forecast.nodes) {
    const Node& node = graph.nodes[static_cast<size_t>(each.node)];
    Json entry = {{"name", name_of_node(graph, node)},
                  {"op_type", node.op_type},
                  {"integer", !each.flaw.has_value()},
                  {"reason", each.reason}};
    if (each.flaw) entry.update(finding_json(each));
    nodes.push_back(std::move(entry));
  }
  return nodes;
}

// A row for each flaw, the worst first; with `all` one for each node.
std::string findings_text(const Graph& graph, const std::vector<NodeForecast>& findings, bool all,
                          const Style& style) {
  std::map<std::pair<int, Flaw>, std::vector<const NodeForecast*>> groups;
  for (const NodeForecast& each : findings)
    groups[{-static_cast<int>(rule_of(*each.flaw).level), *each.flaw}].push_back(&each);
  Table table({{"level"}, {"nodes", Table::Align::kRight}, {"such as"}, {"why; what would mend it"}});
  for (const auto& [key, group] : groups)
    for (size_t i = 0; i < (all ? group.size() : 1); ++i) {
      const FlawRule& rule = rule_of(key.second);
      const NodeForecast& each = *group[i];
      const std::string name = each.node == kNoNode
                                   ? "the model"
                                   : name_of_node(graph, graph.nodes[static_cast<size_t>(each.node)]);
      table.add({name_of(rule.level), std::to_string(all ? 1 : group.size()), printable(name),
                 printable(each.reason) + (*rule.remedy == '\0' ? "" : std::string("; ") + rule.remedy)});
    }
  return table.text(style);
}

Report lint(const LintOptions& options, Console& console) {
  if (!options.sarif.empty()) claim_output("--sarif", options.sarif, {options.model}, console);
  const Graph graph = open_as_it_is(options);
  const TargetProfile& target = find_target(options.target);
  const Forecast found = forecast(graph, target);
  const std::vector<NodeForecast> findings = findings_of(found);
  const size_t integer = static_cast<size_t>(
      std::count_if(found.nodes.begin(), found.nodes.end(), [](const auto& each) { return !each.flaw; }));
  if (!options.sarif.empty()) {
    AtomicFile file(options.sarif);
    file.write(sarif_of(options.model, graph, found).dump(2, ' ', false, Json::error_handler_t::replace) +
               "\n");
    file.commit();
  }
  Report report;
  report.json = {
      {"model", options.model},           {"target", target.name},
      {"integer_nodes", integer},         {"float_nodes", found.nodes.size() - integer},
      {"conversions", found.conversions}, {"refused", found.refusal ? finding_json(*found.refusal) : Json()},
      {"nodes", nodes_json(graph, found)}};
  report.text = printable(options.model) + " for " + target.description + ": " + std::to_string(integer) +
                " of " + format_plural(found.nodes.size(), "node") + " on integers, " +
                format_plural(found.conversions, "conversion") + " between reals and codes\n";
  if (!findings.empty())
    report.text += "\n" + findings_text(graph, findings, options.explain, console.style());
  if (options.fail_on.empty()) return report;

  const std::vector<std::string> levels = {"note", "warning", "error"};
  const auto at_least = std::find(levels.begin(), levels.end(), options.fail_on);
  const auto bad = std::count_if(findings.begin(), findings.end(), [&](const NodeForecast& each) {
    return std::find(at_least, levels.end(), name_of(rule_of(*each.flaw).level)) != levels.end();
  });
  report.json["checks"] = {{{"name", "fail-on"}, {"value", bad}, {"limit", 0}, {"passed", bad == 0}}};
  if (bad != 0) {
    report.exit_code = kExitCheckFailed;
    report.failures.push_back("--fail-on " + options.fail_on + " is not kept: " +
                              format_plural(static_cast<size_t>(bad), "finding") + " of that level or above");
  }
  return report;
}

CommandBody define(CLI::App& app) {
  const auto options = std::make_shared<LintOptions>();
  app.add_option("MODEL.onnx", options->model, "FP32, QDQ or of integer operators; of any tool")->required();
  add_target_option(app, options->target, "default ort-x86");
  app.add_option("--fail-on", options->fail_on,
                 "exit 1 for a finding of this level or above: note, warning, error")
      ->type_name("LEVEL")
      ->check(one_of({"note", "warning", "error"}));
  output_file(app.add_option("--sarif", options->sarif, "writes the findings as SARIF 2.1.0"));
  app.add_flag("--explain", options->explain, "a line for every node that stays float");
  add_input_shapes(app, options->input_shapes);
  return [options](Console& console) { return lint(*options, console); };
}

}  // namespace

const Command kLintCommand = {
    .name = "lint",
    .summary = "which nodes a runtime will compute on integers, which not and why",
    .example = "  quantize lint mobilenet.qdq.onnx --target openvino --fail-on warning\n",
    .define = define,
    .is_minor = true,
};

}  // namespace quantize
