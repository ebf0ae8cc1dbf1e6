#include "cli/verify_report.h"

#include <algorithm>
#include <string_view>

#include "cli/samples.h"
#include "cli/text.h"

namespace quantize {

namespace {

Json worst_json(const VerifyFacts& facts, const TaskFigures& figures) {
  Json worst = Json::array();
  for (const WorstSample& sample : figures.worst)
    worst.push_back({{"sample", facts.sample_name(sample.sample)}, {"likeness", or_null(sample.likeness)}});
  return worst;
}

Json task_json(const VerifyFacts& facts, const TaskFigures& figures) {
  const OutputTask& task = figures.task;
  Json json = {{"task", task.def == nullptr ? Json() : Json(task.def->name)},
               {"reason", task.reason},
               {"agreement", or_null(figures.agreement)}};
  for (const TaskFigure& figure : figures.figures) {
    const bool is_count = figure.unit == TaskFigure::Unit::kCount && figure.value;
    json[Json::json_pointer(std::string("/") + figure.key)] =
        is_count ? Json(static_cast<uint64_t>(*figure.value)) : or_null(figure.value);
  }
  if (!figures.note.empty()) json["labels"] = figures.note;
  if (task.def != nullptr) json["worst"] = worst_json(facts, figures);
  return json;
}

Json layers_json(const LayerComparison& comparison) {
  Json layers = Json::array();
  for (const LayerDeviation& layer : comparison.layers)
    layers.push_back(
        {{"name", layer.name}, {"op_type", layer.op_type}, {"sqnr_db", or_null(layer.deviation.sqnr_db())}});
  return layers;
}

Json missing_json(const LayerComparison& comparison) {
  Json missing = Json::array();
  for (const MissingLayer& layer : comparison.missing)
    missing.push_back({{"name", layer.name}, {"op_type", layer.op_type}, {"reason", layer.reason}});
  return missing;
}

std::optional<double> largest_difference(const OutputComparison& output) {
  if (output.reference_not_finite + output.candidate_not_finite != 0) return std::nullopt;
  return output.deviation.max_abs_diff;
}

Json json_of(const VerifyFacts& facts) {
  const Comparison& comparison = facts.comparison;
  Json json = {{"reference", facts.reference},
               {"candidate", facts.candidate},
               {"samples", comparison.samples},
               {"skipped_images", facts.skipped_images},
               {"preprocessing", preprocessing_json(facts.preprocessing)}};
  if (comparison.top1.labelled != 0)
    json["top1"] = {{"reference", or_null(comparison.top1.reference())},
                    {"candidate", or_null(comparison.top1.candidate())}};
  json["agreement"] = or_null(comparison.agreement());
  json["outputs"] = Json::object();
  json["tasks"] = Json::object();
  for (const OutputComparison& output : comparison.outputs) {
    json["outputs"][output.name] = {
        {"sqnr_db", or_null(output.deviation.sqnr_db())},
        {"median_sqnr_db", or_null(output.median_sqnr_db)},
        {"max_abs_diff", or_null(largest_difference(output))},
        {"not_finite",
         {{"reference", output.reference_not_finite}, {"candidate", output.candidate_not_finite}}}};
    json["tasks"][output.name] = task_json(facts, output.figures);
  }
  if (facts.layers) {
    json["layer_samples"] = facts.layers->samples;
    json["layers"] = layers_json(*facts.layers);
    json["missing_layers"] = missing_json(*facts.layers);
  }
  json["checks"] = checks_json(facts.checks);
  json["passed"] = all_passed(facts.checks);
  return json;
}

std::string decibel(const std::optional<double>& value) {
  return value == Deviation::kMaxDb ? "identical" : value ? format_fixed(*value, 2) : "unknown";
}

// Worst first; those without an SQNR are the worst.
std::string layer_table(const LayerComparison& comparison, const Style& style) {
  std::vector<LayerDeviation> layers = comparison.layers;
  const auto sqnr = [](const LayerDeviation& layer) {
    return std::optional<double>(layer.deviation.sqnr_db());
  };
  std::stable_sort(layers.begin(), layers.end(),
                   [&](const LayerDeviation& a, const LayerDeviation& b) { return sqnr(a) < sqnr(b); });
  Table table({{"layer, worst first"}, {"op_type"}, {"SQNR dB", Table::Align::kRight}});
  for (const LayerDeviation& layer : layers) table.add({layer.name, layer.op_type, decibel(sqnr(layer))});
  std::string text = "\n" + table.text(style) + "  on " + format_plural(comparison.samples, "sample") +
                     ", in runs of their own that fuse nothing\n";
  if (comparison.missing.empty()) return text;
  Table missing({{"not compared"}, {"op_type"}, {"why"}});
  for (const MissingLayer& layer : comparison.missing) missing.add({layer.name, layer.op_type, layer.reason});
  return text + "\n" + missing.text(style);
}

std::string percent(const std::optional<double>& value) {
  return value ? format_fixed(*value, 2) + " %" : "unknown";
}

std::string figure_text(const TaskFigure& figure) {
  switch (figure.unit) {
    case TaskFigure::Unit::kPercent:
      return percent(figure.value);
    case TaskFigure::Unit::kDecibel:
      return decibel(figure.value) + (figure.value && *figure.value != Deviation::kMaxDb ? " dB" : "");
    case TaskFigure::Unit::kCount:
      return format_fixed(figure.value, 0);
    case TaskFigure::Unit::kNumber:
      break;
  }
  return format_fixed(figure.value, 4);
}

// The samples in which the networks differ most, output by output.
std::string worst_line(const VerifyFacts& facts, const OutputComparison& output, size_t most) {
  std::vector<std::string> names;
  for (const WorstSample& sample : output.figures.worst)
    if (names.size() < most)
      names.push_back(printable(facts.sample_name(sample.sample)) + " (" + format_fixed(sample.likeness, 3) +
                      ")");
  return join(names, ", ");
}

std::string text_of(const VerifyFacts& facts, const Style& style) {
  const Comparison& comparison = facts.comparison;
  std::string text = style.bold(printable(facts.candidate)) + " against " + printable(facts.reference) +
                     ", " + format_plural(comparison.samples, "sample") + "\n";
  text += "  images         " + preprocessing_text(facts.preprocessing) + "\n";
  if (comparison.top1.labelled != 0)
    text += "  top-1          " + percent(comparison.top1.reference()) + " -> " +
            percent(comparison.top1.candidate()) + "\n";
  const bool single = comparison.outputs.size() == 1;
  constexpr size_t kWorstShown = 3;
  const bool any_known =
      std::any_of(comparison.outputs.begin(), comparison.outputs.end(),
                  [](const OutputComparison& output) { return output.figures.task.measure; });
  for (const OutputComparison& output : comparison.outputs)
    if (output.figures.task.measure || !any_known)
      text += "  agreement      " + (single ? "" : printable(output.name) + ": ") +
              agreement_text(output.figures) + "\n";
  for (const OutputComparison& output : comparison.outputs)
    text += "  task           " + (single ? "" : printable(output.name) + ": ") +
            name_of(output.figures.task) + " (" + printable(output.figures.task.reason) + ")\n";
  for (const OutputComparison& output : comparison.outputs)
    if (!output.figures.worst.empty())
      text += "  worst          " + (single ? "" : printable(output.name) + ": ") +
              worst_line(facts, output, kWorstShown) + "\n";
  Table table({{"output"},
               {"SQNR dB", Table::Align::kRight},
               {"median of samples", Table::Align::kRight},
               {"largest difference", Table::Align::kRight}});
  for (const OutputComparison& output : comparison.outputs) {
    const std::optional<double> largest = largest_difference(output);
    table.add({output.name, decibel(output.deviation.sqnr_db()), decibel(output.median_sqnr_db),
               largest ? format_figure(*largest, 6) : "unknown"});
  }
  text += "\n" + table.text(style);
  if (facts.layers) text += layer_table(*facts.layers, style);
  if (!facts.checks.empty()) text += "\n" + checks_text(facts.checks, style);
  return text;
}

}  // namespace

std::string agreement_text(const TaskFigures& figures) {
  if (!figures.task.measure) return "none, as the meaning of the output is not known; --task NAME says it";
  const char* const words = figures.task.measure->agreement_words();
  std::string text = words == nullptr ? std::string("none for ") + name_of(figures.task) + "s"
                                      : percent(figures.agreement) + " " + words;
  for (const TaskFigure& figure : figures.figures)
    if (*figure.words != 0)
      text += (std::string_view(figure.words) == "->" ? " " : ", ") + std::string(figure.words) + " " +
              figure_text(figure);
  if (!figures.note.empty()) text += " (" + figures.note + ")";
  return text;
}

Report verify_report(const VerifyFacts& facts, const Style& style) {
  return {.json = json_of(facts),
          .text = text_of(facts, style),
          .exit_code = all_passed(facts.checks) ? kExitOk : kExitCheckFailed,
          .failures = failures_of(facts.checks)};
}

}  // namespace quantize
