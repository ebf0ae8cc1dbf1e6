// The summary of a quantization.
#include "cli/quantize_report.h"

#include "cli/checks.h"
#include "cli/console.h"
#include "cli/options.h"
#include "cli/samples.h"
#include "cli/text.h"

namespace quantize {

namespace {

const char* name_of(Placement placement) {
  switch (placement) {
    case Placement::kFloat:
      return "float";
    case Placement::kInteger:
      return "int8";
    case Placement::kAbsorbed:
      return "absorbed";
    case Placement::kFused:
      return "fused";
  }
  return "float";
}

const char* text_of(BiasCorrection correction) {
  switch (correction) {
    case BiasCorrection::kOff:
      return "off";
    case BiasCorrection::kClosedForm:
      return "closed form";
    case BiasCorrection::kMeasured:
      return "measured";
  }
  return "off";
}

const char* text_of(WeightRounding rounding) {
  return rounding == WeightRounding::kFitted ? "fitted" : "nearest";
}

const char* text_of(Equalization equalization) {
  if (equalization == Equalization::kTried) return "auto";
  return equalization == Equalization::kOn ? "on" : "off";
}

Json params_json(const QuantParams& params) {
  Json json = {{"type", name_of(params.dtype)},
               {"scale", params.scale},
               {"zero_point", params.zero_point},
               {"quant_min", params.quant_min},
               {"quant_max", params.quant_max}};
  if (params.axis) json["axis"] = *params.axis;
  return json;
}

Json float_nodes_json(const Graph& graph, const QuantizationPlan& plan) {
  Json list = Json::array();
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    if (plan.nodes[n].placement == Placement::kFloat)
      list.push_back({{"name", graph.nodes[n].name},
                      {"op_type", graph.nodes[n].op_type},
                      {"reason", plan.nodes[n].reason}});
  return list;
}

// Reasons that differ in the names they quote are one: 'name', ... stands for all.
std::map<std::string, size_t> without_names(const std::map<std::string, size_t>& reasons) {
  std::map<std::string, std::pair<std::string, size_t>> groups;  // what is outside the quotes -> first, nodes
  std::map<std::string, size_t> result;
  for (const auto& [reason, nodes] : reasons) {
    std::string frame;
    bool quoted = false;
    for (char c : reason) {
      if (c == '\'') quoted = !quoted;
      if (!quoted) frame += c;
    }
    auto [group, is_first] = groups.try_emplace(frame, reason, 0);
    std::string& text = group->second.first;
    if (const size_t end = text.rfind('\'');
        !is_first && end != std::string::npos && text.find("', ...") == std::string::npos)
      text.insert(end + 1, ", ...");
    group->second.second += nodes;
  }
  for (const auto& [frame, group] : groups) result[group.first] += group.second;
  return result;
}

// A row per operator type; where several reasons keep nodes of it in float, a row per reason.
std::string node_table(const PlanSummary& summary, const Style& style) {
  Table table({{"op_type"}, {"int8", Table::Align::kRight}, {"float", Table::Align::kRight}, {"why float"}});
  for (const auto& [op_type, count] : summary.by_op_type) {
    const auto reasons = without_names(count.reasons);
    const bool one_reason = reasons.size() == 1;
    table.add({op_type, std::to_string(count.integer), std::to_string(count.floating),
               one_reason ? reasons.begin()->first : ""});
    if (one_reason) continue;
    for (const auto& [reason, nodes] : reasons) table.add({"", "", std::to_string(nodes), reason});
  }
  return table.text(style);
}

// In standard errors; nothing for what the search starts from, or if it is not known.
std::optional<double> gain_of(const PlanStep& step) {
  return step.before ? step.after.gain_over(*step.before) : std::nullopt;
}

Json steps_json(const ChosenPlan& chosen) {
  Json list = Json::array();
  for (const PlanStep& step : chosen.steps)
    list.push_back({{"name", step.name},
                    {"before", quality_json(step.before)},
                    {"after", quality_json(step.after)},
                    {"gain", or_null(gain_of(step))},
                    {"spoils_a_channel", step.spoils},
                    {"kept", step.kept},
                    {"taken_back", step.taken_back},
                    {"seconds", step.seconds}});
  return list;
}

// What every step gained on the images that were held back; `gain` is in standard errors.
std::string step_table(const ChosenPlan& chosen, const Style& style) {
  if (chosen.steps.empty()) return "";
  Table table({{"tried, judged on " + format_plural(chosen.held_back, "held-back sample")},
               {"SQNR dB", Table::Align::kRight},
               {"agreement %", Table::Align::kRight},
               {"gain", Table::Align::kRight},
               {"s", Table::Align::kRight},
               {""}});
  const auto change = [](const PlanStep& step, std::optional<double> (Quality::*value)() const) {
    const std::string after = format_fixed((step.after.*value)(), 1);
    return step.before ? format_fixed(((*step.before).*value)(), 1) + " -> " + after : after;
  };
  const auto verdict = [](const PlanStep& step) {
    if (step.kept) return "kept";
    if (step.taken_back) return "taken back, as other samples do not confirm it";
    const std::optional<double> gain = gain_of(step);
    if (!gain) return "rejected, as the samples do not tell";
    if (!(*gain > 0)) return "rejected";
    return step.spoils ? "rejected, as it spoils a channel" : "rejected, as that could be chance";
  };
  for (const PlanStep& step : chosen.steps)
    table.add({step.name, change(step, &Quality::sqnr_db), change(step, &Quality::agreement),
               step.before ? format_fixed(gain_of(step), 1) : "", format_fixed(step.seconds, 1),
               verdict(step)});
  return table.text(style) + "\n";
}

Json left_out_json(const ChosenPlan& chosen) {
  Json list = Json::array();
  for (const LeftOut& part : chosen.left_out)
    list.push_back({{"step", part.step}, {"node", part.node}, {"bytes", part.bytes}, {"macs", part.macs}});
  return list;
}

// What was not tried because of its cost.
std::string left_out_text(const ChosenPlan& chosen) {
  if (chosen.left_out.empty()) return "";
  std::string text = "  left out, as no optional step may take more than " +
                     format_bytes(chosen.budget.bytes) + " or " + format_count(chosen.budget.macs) +
                     " multiply-accumulates:\n";
  for (const LeftOut& part : chosen.left_out)
    text += "    " + part.step + (part.node.empty() ? "" : " in " + printable(part.node)) + ": " +
            format_bytes(part.bytes) + ", " + format_count(part.macs) + "\n";
  return text + "\n";
}

// Which layers the bound has cost.
std::string put_back_text(const ChosenPlan& chosen) {
  if (!chosen.quality || chosen.put_back.empty()) return "";
  std::string text = "  " + format_plural(chosen.put_back.size(), "layer") +
                     " in float to keep the bound, now " + format_fixed(chosen.quality->sqnr_db(), 1) +
                     " dB and " + format_fixed(chosen.quality->agreement(), 1) +
                     " % on the held-back samples:\n";
  for (const std::string& name : chosen.put_back) text += "    " + printable(name) + "\n";
  return text + "\n";
}

double percent_of_macs(const PlanSummary& summary) {
  return summary.macs == 0
             ? 0
             : 100 * static_cast<double>(summary.integer_macs) / static_cast<double>(summary.macs);
}

Json statistics_json(const QuantizeFacts& facts) {
  if (facts.statistics.empty()) return nullptr;
  return {{"file", facts.statistics}, {"read", facts.statistics_read}};
}

// The same with the number of samples; figures are null where nothing was held back.
Json held_back_json(const ChosenPlan& chosen) {
  Json json = {{"held_back", chosen.held_back}, {"agreement", nullptr}, {"sqnr_db", nullptr}};
  if (chosen.quality) json.update(quality_json(chosen.quality));
  return json;
}

Json json_of(const QuantizeFacts& facts, const PlanSummary& summary) {
  Json json = {{"model", facts.model},
               {"output", facts.output},
               {"format", facts.format},
               {"target", facts.chosen.plan.target},
               {"preprocessing", preprocessing_json(facts.preprocessing)},
               {"samples", facts.samples},
               {"statistics", statistics_json(facts)},
               {"skipped_images", facts.skipped_images},
               {"bytes_before", facts.bytes_before},
               {"bytes_after", facts.bytes_after},
               {"macs", summary.macs},
               {"int8_macs", summary.integer_macs},
               {"held_back", facts.chosen.held_back},
               {"held_back_quality", quality_json(facts.chosen.quality)},
               {"quality", held_back_json(facts.chosen)},
               {"steps", steps_json(facts.chosen)},
               {"left_out", left_out_json(facts.chosen)},
               {"put_back", facts.chosen.put_back},
               {"time_ratio", facts.time_ratio ? Json(*facts.time_ratio) : Json()},
               {"passed", facts.chosen.bound_met},
               {"nodes", Json::object()}};
  json.update(recipe_json(facts.chosen.recipe));
  for (const auto& [op_type, count] : summary.by_op_type)
    json["nodes"][op_type] = {{"int8", count.integer}, {"float", count.floating}};
  json["float_nodes"] = float_nodes_json(facts.graph, facts.chosen.plan);
  return json;
}

std::string text_of(const QuantizeFacts& facts, const PlanSummary& summary, const Console& console) {
  const Style style = console.style();
  std::string text =
      style.bold(printable(facts.output)) + "  " + facts.format + " for " + facts.chosen.plan.target + "\n";
  text += "  calibrated on   " + format_plural(facts.samples, "sample");
  if (!facts.statistics.empty())
    text += std::string(", statistics ") + (facts.statistics_read ? "read from " : "written to ") +
            printable(facts.statistics);
  if (facts.skipped_images != 0) text += ", " + format_plural(facts.skipped_images, "image") + " skipped";
  text += "\n  images          " + preprocessing_text(facts.preprocessing);
  text +=
      "\n  ranges          " + facts.chosen.recipe.method +
      (facts.chosen.recipe.by_readers ? ", some by what reads them" : "") + ", bias correction " +
      text_of(facts.chosen.recipe.bias_correction) + ", weights rounded " +
      (facts.chosen.recipe.weight_rounding == WeightRounding::kFitted ? "by what they do" : "to nearest") +
      (facts.chosen.recipe.equalized ? ", channels equalized" : "");
  text +=
      "\n  size            " + format_bytes(facts.bytes_before) + " -> " + format_bytes(facts.bytes_after);
  const std::string macs = sizes_are_known(facts.graph) ? format_count(summary.macs) + " " : "the ";
  text += "\n  in int8         " + format_fixed(percent_of_macs(summary), 1) + " % of " + macs +
          "multiply-accumulates";
  if (facts.time_ratio)
    text += "\n  speed           " + format_fixed(*facts.time_ratio, 2) +
            " of the time of FP32, both in this program's engine";
  text += "\n  took            " + format_fixed(console.seconds(), 1) + " s, " +
          format_fixed(peak_rss_mib(), 0) + " MiB at most\n\n" + step_table(facts.chosen, style) +
          left_out_text(facts.chosen) + put_back_text(facts.chosen);
  text += node_table(summary, style);
  return text + "\nCheck it:  quantize verify " + printable(facts.model) + " " + printable(facts.output) +
         " --images FOLDER\n";
}

}  // namespace

Report quantize_report(const QuantizeFacts& facts, const Console& console) {
  const PlanSummary summary = summarize(facts.graph, facts.chosen.plan);
  return {json_of(facts, summary), text_of(facts, summary, console)};
}

Json recipe_json(const Recipe& recipe) {
  return {{"method", recipe.method},
          {"bias_correction", text_of(recipe.bias_correction)},
          {"weight_rounding", text_of(recipe.weight_rounding)},
          {"equalized", recipe.equalized},
          {"by_readers", recipe.by_readers}};
}

BoundFigures figures_of(const std::optional<Quality>& quality) {
  if (!quality) return {};
  return {.agreement = quality->agreement(), .sqnr_db = quality->sqnr_db(), .drop = quality->drop()};
}

Json quality_json(const std::optional<Quality>& quality) {
  if (!quality) return nullptr;
  Json json = {{"sqnr_db", or_null(quality->sqnr_db())},
               {"median_sqnr_db", or_null(quality->median_sqnr_db())},
               {"agreement", or_null(quality->agreement())}};
  if (quality->labelled != 0) json["top1_drop"] = or_null(quality->drop());
  return json;
}

Report unmet_report(const std::string& model, const Bound& bound, const ChosenPlan& chosen,
                    const Console& console) {
  const std::vector<Check> checks = checks_of(bound, figures_of(chosen.quality));
  Json json = {{"model", model},
               {"output", nullptr},
               {"held_back", chosen.held_back},
               {"held_back_quality", quality_json(chosen.quality)},
               {"steps", steps_json(chosen)},
               {"checks", checks_json(checks)},
               {"passed", false}};
  Report report{json, step_table(chosen, console.style()), kExitCheckFailed};
  for (const std::string& failure : failures_of(checks))
    report.failures.push_back(failure +
                              "; leaving layers in float does not keep it either, so no model was written");
  return report;
}

Json plan_json(const Graph& graph, const QuantizationPlan& plan) {
  Json json = {{"target", plan.target},
               {"values", Json::array()},
               {"float_values", Json::array()},
               {"nodes", Json::array()}};
  for (size_t v = 0; v < plan.values.size(); ++v) {
    const PlannedValue& value = plan.values[v];
    Json entry = {{"name", graph.values[v].name}, {"reason", value.reason}};
    if (!value.params) {
      if (!value.reason.empty()) json["float_values"].push_back(std::move(entry));
      continue;
    }
    entry.update(params_json(*value.params));
    entry["range"] = {{"min", value.range.min}, {"max", value.range.max}};
    for (const RangeCandidate& candidate : value.candidates)
      entry["candidates"].push_back({{"method", candidate.method},
                                     {"range", {{"min", candidate.range.min}, {"max", candidate.range.max}}},
                                     {"error", candidate.error}});
    entry["shares_with"] = graph.value(value.source).name;
    json["values"].push_back(std::move(entry));
  }
  for (size_t n = 0; n < plan.nodes.size(); ++n) {
    const PlannedNode& node = plan.nodes[n];
    Json entry = {{"name", graph.nodes[n].name},
                  {"op_type", graph.nodes[n].op_type},
                  {"placement", name_of(node.placement)},
                  {"reason", node.reason},
                  {"macs", node.macs}};
    if (node.weights) {
      entry["weights"] = params_json(node.weights->params);
      double largest = 0;
      for (double shift : node.weights->shift) largest = std::max(largest, std::abs(shift));
      entry["largest_bias_shift"] = largest;
    }
    json["nodes"].push_back(std::move(entry));
  }
  json["float_nodes"] = float_nodes_json(graph, plan);
  json["warnings"] = plan.warnings;
  return json;
}

Json options_json(const QuantizationScheme& scheme, const std::map<std::string, std::string>& more) {
  Json json = {{"method", scheme.method},
               {"bias_correction", text_of(scheme.bias_correction)},
               {"weight_rounding", text_of(scheme.weight_rounding)},
               {"equalize", text_of(scheme.equalization)},
               {"weights", scheme.per_channel_weights ? "per-channel" : "per-tensor"},
               {"weight_bits", scheme.weights.num_bits},
               {"activations", name_of(scheme.activations.dtype)},
               {"symmetric", scheme.activations.symmetric},
               {"include", scheme.include},
               {"exclude", scheme.exclude},
               {"op_types", scheme.op_types},
               {"exclude_op_types", scheme.exclude_op_types}};
  if (scheme.method == "percentile") json["percentile"] = scheme.percentile;
  std::vector<std::string> overridden;
  for (const auto& [value, settings] : scheme.overrides) overridden.push_back(value);
  json["overrides"] = overridden;
  for (const auto& [name, value] : more) json[name] = value;
  return json;
}

}  // namespace quantize
