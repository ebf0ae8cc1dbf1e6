// The summary for people. Read summary_text, at the end, first.
#include "cli/quantize_summary.h"

#include "calibration/search/fit_size.h"
#include "cli/options.h"
#include "cli/samples.h"
#include "cli/text.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/target.h"

namespace quantize {

namespace {

constexpr size_t kLabelWidth = 10;

// "accuracy  ...", broken into lines.
std::string line(const std::string& label, const std::string& text, const Style& style) {
  std::string padded = label;
  padded.resize(kLabelWidth, ' ');
  return style.bold(padded) + wrapped(printable(text), kTextWidth - kLabelWidth, kLabelWidth) + "\n";
}

std::string wrote(const QuantizeFacts& facts, const PlanSummary& summary) {
  if (!facts.bytes_after) return "nothing: with no choice of layers left in float is the bound kept";
  const std::string advice = advice_without_vnni(facts, summary);
  return facts.output + ", " + format_bytes(*facts.bytes_after) +
         (facts.bytes_before ? " (was " + format_bytes(*facts.bytes_before) + ")" : "") + ", for " +
         find_target(facts.chosen.planned.plan.target).description +
         (advice.empty() ? "" : "; without VNNI it cuts sums of two products to 16 bits: there " + advice);
}

std::string accuracy(const ChosenPlan& chosen) {
  if (!chosen.quality) return "not measured, as no image was held back; see the last line";
  const Quality& quality = *chosen.quality;
  const std::string held_back = format_plural(chosen.held_back, "held-back sample");
  std::string text = quality.agreement()
                         ? "as FP32 on " + format_fixed(quality.agreement(), 1) + " % of " + held_back +
                               ", SQNR " + format_fixed(quality.sqnr_db(), 1) + " dB"
                         : "SQNR " + format_fixed(quality.sqnr_db(), 1) + " dB on " + held_back;
  if (const TopOne& top1 = quality.top1; top1.labelled != 0)
    text += "; top-1 " + format_fixed(*top1.reference(), 1) + " % -> " + format_fixed(*top1.candidate(), 1) +
            " %";
  return text;
}

// "3 Softmax, Resize, 4 other operators": the float ones.
std::string floats_text(const std::map<std::string, PlanSummary::Count>& by_op_type) {
  constexpr size_t kMost = 6;
  std::vector<std::string> floats;
  for (const auto& [op_type, count] : by_op_type)
    if (count.floating != 0)
      floats.push_back((count.floating == 1 ? "" : std::to_string(count.floating) + " ") + op_type);
  const size_t more = floats.size() - std::min(floats.size(), kMost);
  floats.resize(floats.size() - more);
  if (more != 0) floats.push_back(format_plural(more, "other operator"));
  return join(floats, ", ");
}

std::string in_int8(const PlanSummary& summary, const CutModel* cut) {
  const std::string floats = floats_text(summary.by_op_type);
  const double in_16_bits =
      summary.macs16 == 0 ? 0 : 100 * static_cast<double>(summary.macs16) / static_cast<double>(summary.macs);
  return format_fixed(percent_of_macs(summary), 1) + " % of the multiplications" +
         (summary.macs16 == 0 ? "" : "; on activations of 16 bits: " + format_fixed(in_16_bits, 1) + " %") +
         (cut == nullptr ? "" : " in front of operators that are not known") +
         (floats.empty() ? "" : "; float: " + floats);
}

std::string rest(const PlannedModel& planned, const PlanSummary& summary) {
  return format_plural(summary.narrow, "node") + " in " + std::string(name_of(planned.plan.rest)) +
         (summary.wide.empty() ? "" : "; f32: " + floats_text(summary.wide));
}

// "4 bits: 50, 8 bits: 4".
std::string by_bits(const std::map<int64_t, size_t>& constants) {
  std::vector<std::string> parts;
  for (const auto& [bits, count] : constants)
    parts.push_back(format_plural(static_cast<size_t>(bits), "bit") + ": " + std::to_string(count));
  return join(parts, ", ");
}

// "at most 640 KiB asked for; weights of layers in 4 bits: 50, 8 bits: 4 (packed)".
std::string size(const QuantizeFacts& facts) {
  return (facts.max_size ? "at most " + format_bytes(*facts.max_size) + " asked for; " : "") +
         "weights of layers in " + by_bits(bits_in(facts.chosen.planned)) + " (" + name_of(*facts.form) + ")";
}

// "weight-only: 54 layers, 3.49M weights in 2.1 MiB (4 bits: 50, 8 bits: 4)".
std::string stored(const PlanSummary& summary) {
  std::vector<std::string> parts;
  for (const auto& [mode, stored] : summary.by_mode)
    parts.push_back(mode + ": " + format_plural(stored.nodes, "layer") + ", " + format_count(stored.weights) +
                    " weights in " + format_bytes(stored.bytes) + " (" + by_bits(stored.operands) + ")");
  return join(parts, "; ");
}

std::string recipe(const ChosenPlan& chosen) {
  const Recipe& recipe = chosen.recipe;
  std::vector<std::string> parts = {recipe.method};
  if (recipe.by_readers) parts.push_back("ranges of single values");
  if (recipe.equalized) parts.push_back("equalized channels");
  if (recipe.weight_rounding == WeightRounding::kFitted) parts.push_back("fitted weights");
  if (recipe.bias_correction == BiasCorrection::kMeasured) parts.push_back("measured bias");
  if (recipe.bias_correction == BiasCorrection::kClosedForm) parts.push_back("biases corrected");
  for (const PlanAdjustment& adjustment : recipe.adjustments) parts.push_back(adjustment.name);
  if (chosen.steps.empty()) return join(parts, ", ");
  size_t kept = 0;
  for (size_t s = 1; s < chosen.steps.size(); ++s) kept += chosen.steps[s].kept;
  return join(parts, ", ") + "; " + std::to_string(chosen.steps.size() - 1) + " others tried, " +
         (kept == 0 ? "none" : std::to_string(kept)) + " better";
}

// "48 scales kept; others by mse, ...".
std::string kept_scales(const QuantizeFacts& facts) {
  const std::string kept = format_plural(facts.scales->taken, "scale") + " as given";
  return facts.samples == 0 ? kept : kept + "; others: " + recipe(facts.chosen);
}

// The modes that were asked for.
std::string modes_text(const QuantizationScheme& scheme) {
  std::vector<std::string> names;
  for (const Mode* mode : modes_of(scheme)) names.emplace_back(mode->name);
  return join(names, " and ");
}

std::string next(const QuantizeFacts& facts) {
  if (facts.cut != nullptr)
    return "compare " + facts.model + " and " + facts.output + " in a runtime that knows " + facts.cut->cause;
  if (!facts.bytes_after)
    return "ask for less, or see what harms: quantize sensitivity " + facts.model + " " + facts.places;
  return "quantize verify " + facts.model + " " + facts.output + " " + facts.places + " [--labels FILE]";
}

std::string put_back(const std::vector<std::string>& names, const std::string& where) {
  constexpr size_t kMost = 8;
  std::vector<std::string> shown(names.begin(), names.begin() + std::min(names.size(), kMost));
  if (names.size() > kMost) shown.push_back("...");
  return format_plural(names.size(), "layer") + where + " to keep the bound: " + join(shown, ", ");
}

std::string images(const QuantizeFacts& facts) {
  if (facts.samples == 0) return facts.scales ? "none, as scales are known" : "none, as no range is needed";
  return preprocessing_text(facts.preprocessing) + "; " + format_plural(facts.samples, "sample") +
         (facts.skipped_images == 0 ? "" : ", " + std::to_string(facts.skipped_images) + " skipped") +
         (facts.statistics.empty()
              ? ""
              : (facts.statistics_read ? "; statistics read from " : "; statistics written to ") +
                    facts.statistics);
}

// The gain of every step on the images that were held back.
std::string step_table(const ChosenPlan& chosen, const Style& style) {
  if (chosen.steps.empty()) return "";
  Table table({{"tried, judged on " + format_plural(chosen.held_back, "held-back sample")},
               {"SQNR dB", Table::Align::kRight},
               {"agreement %", Table::Align::kRight},
               {"gain (SE)", Table::Align::kRight},
               {"s", Table::Align::kRight},
               {""}});
  const auto verdict = [](const PlanStep& step) {
    if (step.kept) return "kept";
    if (step.taken_back) return "taken back: not confirmed by other samples";
    if (step.given_up) return "given up after a part of the samples";
    const std::optional<double> gain = gain_of(step);
    if (!gain) return "the samples do not tell";
    if (!(*gain > 0)) return "no better";
    return step.worsens ? "worsens one output channel" : "could be chance";
  };
  for (const PlanStep& step : chosen.steps)
    table.add({step.name, format_fixed(step.after.sqnr_db(), 1), format_fixed(step.after.agreement(), 1),
               step.before ? format_fixed(gain_of(step), 1) : "", format_fixed(step.seconds, 1),
               verdict(step)});
  return table.text(style) +
         "  gain: over the best so far, in standard errors (SE) of that gain; --without NAME leaves a step "
         "out\n\n";
}

// Steps that were not tried because of their cost.
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

// Reasons that differ in the names they quote are one: 'name', ... stands for all.
std::map<std::string, size_t> without_names(const std::map<std::string, size_t>& reasons) {
  std::map<std::string, std::pair<std::string, size_t>> groups;  // cause -> first, nodes
  std::map<std::string, size_t> result;
  for (const auto& [reason, nodes] : reasons) {
    auto [group, is_first] = groups.try_emplace(cause_of(reason), reason, 0);
    std::string& text = group->second.first;
    if (const size_t end = text.rfind('\'');
        !is_first && end != std::string::npos && text.find("', ...") == std::string::npos)
      text.insert(end + 1, ", ...");
    group->second.second += nodes;
  }
  for (const auto& [cause, group] : groups) result[group.first] += group.second;
  return result;
}

// A row per operator type; where several reasons keep nodes of it in float, a row per reason.
std::string node_table(const PlanSummary& summary, const Style& style) {
  Table table({{"op_type"}, {"int8", Table::Align::kRight}, {"float", Table::Align::kRight}, {"why float"}});
  for (const auto& [op_type, count] : summary.by_op_type) {
    const auto reasons = without_names(count.reasons);
    const bool one_reason = reasons.size() == 1;
    const std::string sixteen = count.sixteen == 0 ? "" : " + " + std::to_string(count.sixteen) + " int16";
    table.add({op_type, std::to_string(count.integer) + sixteen, std::to_string(count.floating),
               one_reason ? reasons.begin()->first : ""});
    if (one_reason) continue;
    for (const auto& [reason, nodes] : reasons) table.add({"", "", std::to_string(nodes), reason});
  }
  return table.text(style);
}

// Why nodes stay f32 where the rest is of 16 bits.
std::string wide_table(const PlanSummary& summary, const Style& style) {
  if (summary.wide.empty()) return "";
  Table table({{"op_type"}, {"f32", Table::Align::kRight}, {"why f32"}});
  for (const auto& [op_type, count] : summary.wide)
    for (const auto& [reason, nodes] : without_names(count.reasons))
      table.add({op_type, std::to_string(nodes), reason});
  return "\n" + table.text(style);
}

std::string explanation(const QuantizeFacts& facts, const PlanSummary& summary, const Console& console) {
  const std::string macs =
      sizes_are_known(facts.chosen.planned.graph) ? format_count(summary.macs) + " " : "";
  return step_table(facts.chosen, console.style()) + left_out_text(facts.chosen) +
         node_table(summary, console.style()) + wide_table(summary, console.style()) + "\n  " + macs +
         "multiply-accumulates; took " + format_fixed(console.seconds(), 1) + " s, " +
         format_fixed(peak_rss_mib(), 0) + " MiB at most\n";
}

}  // namespace

std::string summary_text(const QuantizeFacts& facts, const PlanSummary& summary, const Console& console) {
  const Style style = console.style();
  std::string text =
      line("wrote", wrote(facts, summary), style) + line("accuracy", accuracy(facts.chosen), style);
  if (asks_for_integers(facts.scheme)) text += line("in int8", in_int8(summary, facts.cut), style);
  if (facts.scheme.rest != DataType::kF32) text += line("rest", rest(facts.chosen.planned, summary), style);
  if (tells_bits(facts)) text += line("size", size(facts), style);
  if (!summary.by_mode.empty()) text += line("stored", stored(summary), style);
  if (facts.time_ratio)
    text +=
        line("speed", format_figure(*facts.time_ratio, 2) + " of FP32's time, both in this program's engine",
             style);
  if (!facts.chosen.put_to_16_bits.empty())
    text += line("16 bits", put_back(facts.chosen.put_to_16_bits, " of 16 bits"), style);
  if (!facts.chosen.put_back.empty())
    text += line("put back", put_back(facts.chosen.put_back, " in float"), style);
  for (const Selector& selector : facts.selectors) text += line("selected", selector_text(selector), style);
  text += line("images", images(facts), style) +
          line("recipe",
               facts.scales                 ? kept_scales(facts)
               : takes_ranges(facts.scheme) ? recipe(facts.chosen)
                                            : modes_text(facts.scheme),
               style) +
          line("next", next(facts), style) + checks_text(facts.checks, style);
  // GCC 12 warns (-Wrestrict) of "\n" + std::string inlined at -O3, so the empty line is appended.
  return facts.explain ? text.append("\n").append(explanation(facts, summary, console)) : text;
}

}  // namespace quantize
