// The summary of a quantization.
#include "cli/quantize_report.h"

#include "calibration/search/fit_size.h"
#include "calibration/search/keep_bound.h"
#include "cli/checks.h"
#include "cli/console.h"
#include "cli/options.h"
#include "cli/quantize_summary.h"
#include "cli/samples.h"
#include "cli/text.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/modes/weight_grids.h"

namespace quantize {

namespace {

const char* place_of(const PlannedNode& node) {
  switch (node.placement) {
    case Placement::kFloat:
      return "float";
    case Placement::kInteger:
      if (node.in_float) return "float";
      return node.activation_bits == 16 ? "int16" : "int8";
    case Placement::kDynamic:
      return "dynamic";
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
      return "closed-form";
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

// The nodes that were left as they are, with the reason.
Json tail_json(const CutModel* cut) {
  Json list = Json::array();
  if (cut == nullptr) return list;
  const std::vector<NodeId> unknown = unknown_nodes(cut->tail);
  for (size_t n = 0; n < cut->tail.nodes.size(); ++n) {
    const Node& node = cut->tail.nodes[n];
    const bool is_unknown =
        std::find(unknown.begin(), unknown.end(), static_cast<NodeId>(n)) != unknown.end();
    list.push_back({{"name", node.name},
                    {"op_type", node.op_type},
                    {"reason", is_unknown ? describe_unknown(cut->tail, node) + " is not known, and kept"
                                          : "depends on an operator that is not known: " + cut->cause}});
  }
  return list;
}

Json float_nodes_json(const PlannedModel& planned, const QuantizationScheme& scheme, const CutModel* cut) {
  const auto& [graph, plan] = planned;
  Json list = Json::array();
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const auto reason = float_reason(planned, static_cast<NodeId>(n));
    if (reason && !scheme.added_nodes.contains(node.name))
      list.push_back({{"name", node.name}, {"op_type", source_op_type(scheme, node)}, {"reason", *reason}});
  }
  for (const Json& node : tail_json(cut)) list.push_back(node);
  return list;
}

Json steps_json(const ChosenPlan& chosen) {
  Json list = Json::array();
  for (const PlanStep& step : chosen.steps)
    list.push_back({{"name", step.name},
                    {"changed", step.changed ? Json(*step.changed) : Json()},
                    {"before", quality_json(step.before)},
                    {"after", quality_json(step.after)},
                    {"gain", or_null(gain_of(step))},
                    {"given_up", step.given_up},
                    {"worsens_a_channel", step.worsens},
                    {"kept", step.kept},
                    {"taken_back", step.taken_back},
                    {"seconds", step.seconds}});
  return list;
}

Json left_out_json(const ChosenPlan& chosen) {
  Json list = Json::array();
  for (const LeftOut& part : chosen.left_out)
    list.push_back({{"step", part.step}, {"node", part.node}, {"bytes", part.bytes}, {"macs", part.macs}});
  return list;
}

Json statistics_json(const QuantizeFacts& facts) {
  if (facts.statistics.empty()) return nullptr;
  return {{"file", facts.statistics}, {"read", facts.statistics_read}};
}

// Scales that were known; null if all were found by calibrating.
Json scales_json(const std::optional<TakenScales>& scales) {
  return scales ? Json{{"taken", scales->taken}, {"left", scales->left}} : Json();
}

// The weights that modes without ranges have stored.
Json modes_json(const PlanSummary& summary) {
  Json json = Json::object();
  for (const auto& [name, stored] : summary.by_mode) {
    json[name] = {{"nodes", stored.nodes}, {"weights", stored.weights}, {"bytes", stored.bytes}};
    for (const auto& [bits, operands] : stored.operands) json[name]["bits"][std::to_string(bits)] = operands;
  }
  return json;
}

// The size that was asked for, if one was, and how many constants have so many bits, if few are asked for.
Json size_json(const QuantizeFacts& facts) {
  if (!tells_bits(facts)) return nullptr;
  Json json = {{"limit", facts.max_size ? Json(*facts.max_size) : Json()},
               {"form", name_of(*facts.form)},
               {"bits", Json::object()}};
  for (const auto& [bits, constants] : bits_in(facts.chosen.planned))
    json["bits"][std::to_string(bits)] = constants;
  return json;
}

// The type of what is not integer, and the float nodes that stay f32 although it is another.
Json rest_json(const PlannedModel& planned, const PlanSummary& summary, const QuantizationScheme& scheme) {
  Json json = {
      {"type", name_of(planned.plan.rest)}, {"nodes", summary.narrow}, {"wide_nodes", Json::array()}};
  for (size_t n = 0; n < planned.plan.nodes.size(); ++n)
    if (const std::string& reason = planned.plan.nodes[n].wide_reason; !reason.empty())
      json["wide_nodes"].push_back({{"name", planned.graph.nodes[n].name},
                                    {"op_type", source_op_type(scheme, planned.graph.nodes[n])},
                                    {"reason", reason}});
  return json;
}

// The weights of a node as its mode has stored them.
Json stored_json(const std::vector<StoredWeights>& stored) {
  Json list = Json::array();
  for (const StoredWeights& weights : stored)
    list.push_back({{"input", weights.input},
                    {"type", name_of(weights.dtype)},
                    {"bits", weights.bits()},
                    {"grid", name_of(weights.grid)},
                    {"axis", weights.axis},
                    {"block", weights.block},
                    {"sqnr_db", or_null(weights.sqnr_db)}});
  return list;
}

// The same with the number of samples; figures are null where nothing was held back.
Json held_back_json(const ChosenPlan& chosen) {
  Json json = {{"held_back", chosen.held_back}, {"agreement", nullptr}, {"sqnr_db", nullptr}};
  if (chosen.quality) json.update(quality_json(chosen.quality));
  return json;
}

// The nodes of an operator by what they compute on; those on activations of 16 bits where there are any.
Json counts_json(const PlanSummary::Count& count) {
  Json json = {{"int8", count.integer}, {"float", count.floating}};
  if (count.sixteen != 0) json["int16"] = count.sixteen;
  return json;
}

Json json_of(const QuantizeFacts& facts, const PlanSummary& summary) {
  const std::string without_vnni = advice_without_vnni(facts, summary);
  Json json = {{"model", facts.model},
               {"output", facts.bytes_after ? Json(facts.output) : Json()},
               {"format", facts.format},
               {"target", facts.chosen.planned.plan.target},
               {"mode", facts.scheme.mode},
               {"scales", scales_json(facts.scales)},
               {"modes", modes_json(summary)},
               {"size", size_json(facts)},
               {"rest", rest_json(facts.chosen.planned, summary, facts.scheme)},
               {"preprocessing", preprocessing_json(facts.preprocessing)},
               {"samples", facts.samples},
               {"statistics", statistics_json(facts)},
               {"skipped_images", facts.skipped_images},
               {"bytes_before", facts.bytes_before ? Json(*facts.bytes_before) : Json()},
               {"bytes_after", facts.bytes_after ? Json(*facts.bytes_after) : Json()},
               {"macs", summary.macs},
               {"int8_macs", summary.integer_macs},
               {"int16_macs", summary.macs16},
               {"float_macs", summary.macs - summary.integer_macs - summary.macs16},
               {"cost", cost_of(summary, find_target(facts.chosen.planned.plan.target).costs)},
               {"held_back", facts.chosen.held_back},
               {"held_back_quality", quality_json(facts.chosen.quality)},
               {"quality", held_back_json(facts.chosen)},
               {"checks", checks_json(facts.checks)},
               {"steps", steps_json(facts.chosen)},
               {"left_out", left_out_json(facts.chosen)},
               {"put_back", facts.chosen.put_back},
               {"put_to_16_bits", facts.chosen.put_to_16_bits},
               {"time_ratio", facts.time_ratio ? Json(*facts.time_ratio) : Json()},
               {"without_vnni", without_vnni.empty() ? Json() : Json(without_vnni)},
               {"passed", facts.chosen.bound_met},
               {"nodes", Json::object()},
               {"adjustments", Json::array()}};
  if (facts.chosen.quality && facts.chosen.quality->top1.labelled != 0)
    json["top1"] = {{"reference", *facts.chosen.quality->top1.reference()},
                    {"candidate", *facts.chosen.quality->top1.candidate()}};
  json.update(recipe_json(facts.chosen.recipe));
  if (!takes_ranges(facts.scheme)) json["method"] = nullptr;
  for (const auto& [op_type, count] : summary.by_op_type) json["nodes"][op_type] = counts_json(count);
  if (facts.cut != nullptr)
    for (const Node& node : facts.cut->tail.nodes) {
      Json& counts = json["nodes"][node.op_type];
      if (counts.is_null()) counts = counts_json({});
      counts["float"] = counts["float"].get<size_t>() + 1;
    }
  json["float_nodes"] = float_nodes_json(facts.chosen.planned, facts.scheme, facts.cut);
  json["selectors"] = Json::array();
  for (const Selector& selector : facts.selectors) json["selectors"].push_back(selector_json(selector));
  return json;
}

void warn_of_kept_clamps(const QuantizeFacts& facts, const PlanSummary& summary, Diagnostics& diagnostics) {
  if (summary.kept_clamps != 0)
    diagnostics.warn(facts.chosen.planned.plan.target + " computes " +
                     format_plural(summary.kept_clamps, "layer") +
                     " in float, because codes reach beyond the bounds of the Relu or Clip behind; leave out "
                     "--symmetric or --activations s8");
}

}  // namespace

bool tells_bits(const QuantizeFacts& facts) {
  return facts.max_size || (facts.form && asks_for_integers(facts.scheme));
}

std::optional<double> gain_of(const PlanStep& step) {
  return step.before ? step.after.gain_over(*step.before) : std::nullopt;
}

std::string advice_without_vnni(const QuantizeFacts& facts, const PlanSummary& summary) {
  const char* advice = find_target(facts.chosen.planned.plan.target).without_vnni;
  const QuantizationScheme& scheme = facts.scheme;
  const bool cuts = advice != nullptr && summary.integer_macs != 0 &&
                    scheme.activations.dtype == DataType::kU8 && scheme.weights.dtype == DataType::kS8 &&
                    scheme.weights.num_bits == 8;
  return cuts ? advice : "";
}

double percent_of_macs(const PlanSummary& summary) {
  return summary.macs == 0
             ? 0
             : 100 * static_cast<double>(summary.integer_macs) / static_cast<double>(summary.macs);
}

Report quantize_report(const QuantizeFacts& facts, Console& console) {
  const PlanSummary summary = summarize(facts.chosen.planned, facts.scheme);
  warn_of_kept_clamps(facts, summary, console.diagnostics);
  Report report{json_of(facts, summary), summary_text(facts, summary, console)};
  if (facts.chosen.bound_met) return report;
  report.exit_code = kExitCheckFailed;
  report.failures = {join(failures_of(facts.checks), "; ") +
                     "; no model was written, as no choice of layers left in float keeps it"};
  return report;
}

Json selector_json(const Selector& selector) {
  Json json = {{"option", selector.option}, {"text", selector.text}, {"nodes", selector.nodes}};
  if (!selector.values.empty()) json["values"] = selector.values;
  return json;
}

std::string selector_text(const Selector& selector) {
  constexpr size_t kMost = 8;
  const bool of_nodes = selector.values.empty() || !selector.nodes.empty();
  const std::vector<std::string>& all = of_nodes ? selector.nodes : selector.values;
  std::vector<std::string> names(all.begin(), all.begin() + std::min(all.size(), kMost));
  if (all.size() > kMost) names.push_back("...");
  return selector.option + " '" + selector.text + "' names " +
         format_plural(all.size(), of_nodes ? "node" : "value") + ": " + join(names, ", ");
}

Json recipe_json(const Recipe& recipe) {
  Json json = {{"method", recipe.method},
               {"bias_correction", text_of(recipe.bias_correction)},
               {"weight_rounding", text_of(recipe.weight_rounding)},
               {"equalized", recipe.equalized},
               {"single_ranges", recipe.by_readers}};
  for (const PlanAdjustment& adjustment : recipe.adjustments) json["adjustments"].push_back(adjustment.name);
  return json;
}

BoundFigures figures_of(const std::optional<Quality>& quality) {
  if (!quality) return {};
  return {.agreement = quality->agreement(), .sqnr_db = quality->sqnr_db(), .drop = quality->top1.drop()};
}

Json quality_json(const std::optional<Quality>& quality) {
  if (!quality) return nullptr;
  Json json = {{"sqnr_db", or_null(quality->sqnr_db())},
               {"median_sqnr_db", or_null(quality->median_sqnr_db())},
               {"agreement", or_null(quality->agreement())}};
  if (quality->top1.labelled != 0) json["top1_drop"] = or_null(quality->top1.drop());
  return json;
}

Json plan_json(const PlannedModel& planned, const QuantizationScheme& scheme, const CutModel* cut) {
  const auto& [graph, plan] = planned;
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
    Json entry = {{"name", graph.nodes[n].name}, {"op_type", graph.nodes[n].op_type},
                  {"mode", node.mode->name},     {"placement", place_of(node)},
                  {"reason", node.reason},       {"macs", node.macs}};
    if (plan.rest != DataType::kF32 && node.placement == Placement::kFloat)
      entry["computed_in"] = name_of(node.narrow ? plan.rest : DataType::kF32);
    if (!node.stored.empty()) entry["stored"] = stored_json(node.stored);
    if (node.placement == Placement::kInteger) entry["activation_bits"] = node.activation_bits;
    for (const auto& [id, params] : node.converted)
      entry["converted"].push_back({{"value", graph.value(id).name}, {"codes", params_json(params)}});
    if (node.weights) {
      entry["weights"] = params_json(node.weights->params);
      double largest = 0;
      for (double shift : node.weights->shift) largest = std::max(largest, std::abs(shift));
      entry["largest_bias_shift"] = largest;
    }
    json["nodes"].push_back(std::move(entry));
  }
  json["float_nodes"] = float_nodes_json(planned, scheme, cut);
  json["warnings"] = plan.warnings;
  return json;
}

Json options_json(const QuantizationScheme& scheme, const std::map<std::string, std::string>& more) {
  Json json = {{"method", scheme.method},
               {"bias_correction", text_of(scheme.bias_correction)},
               {"weight_rounding", text_of(scheme.weight_rounding)},
               {"equalize", text_of(scheme.equalization)},
               {"without", scheme.without},
               {"weights", scheme.per_channel_weights ? "per-channel" : "per-tensor"},
               {"weight_bits", scheme.weights.num_bits},
               {"activations", name_of(scheme.activations.dtype)},
               {"symmetric", scheme.activations.symmetric},
               {"include", scheme.include},
               {"exclude", scheme.exclude},
               {"op_types", scheme.op_types},
               {"exclude_op_types", scheme.exclude_op_types}};
  if (scheme.weights.dtype != DataType::kS8) json["weight_type"] = name_of(scheme.weights.dtype);
  if (scheme.activation_bits != 8) json["activation_bits"] = scheme.activation_bits;
  for (const BitsRule& rule : scheme.bits_rules)
    json["bits"].push_back(std::to_string(rule.bits) + "=" + rule.nodes);
  if (scheme.mode != kStaticMode.name) json["mode"] = scheme.mode;
  for (const ModeRule& rule : scheme.mode_rules) json["modes"].push_back(rule.mode + "=" + rule.nodes);
  for (const Rule& rule : scheme.rules) json["rules"].push_back(rule.text);
  if (scheme.rest != DataType::kF32) json["rest"] = name_of(scheme.rest);
  if (scheme.weight_block != 0) json["weight_block"] = scheme.weight_block;
  if (const WeightStorage& storage = scheme.storage; storage.grid != WeightGrid::kLinear)
    json["weight_storage"] = {{"grid", name_of(storage.grid)},
                              {"bits", storage.bits},
                              {"group", storage.group},
                              {"channel_scales", storage.channel_scales},
                              {"before_point", storage.before_point}};
  if (scheme.method == "percentile") json["percentile"] = scheme.percentile;
  std::vector<std::string> overridden;
  for (const auto& [value, settings] : scheme.overrides) overridden.push_back(value);
  json["overrides"] = overridden;
  for (const auto& [name, value] : more) json[name] = value;
  return json;
}

}  // namespace quantize
