#include "cli/verify_report.h"

#include <algorithm>

#include "cli/samples.h"
#include "cli/text.h"

namespace quantize {

namespace {

Json task_json(const TaskFigures& figures) {
  const Task task = figures.task.task;
  Json json = {{"task", task == Task::kNone ? Json() : Json(name_of(task))},
               {"reason", figures.task.reason},
               {"agreement", or_null(figures.agreement)}};
  if (task == Task::kText) json["sequences"] = or_null(figures.sequences);
  if (task == Task::kSegmentation) json["mean_iou"] = or_null(figures.mean_iou);
  if (task == Task::kImage) json["psnr_db"] = or_null(figures.psnr_db);
  if (task == Task::kEmbedding) json["cosine"] = or_null(figures.cosine);
  if (task == Task::kDetection)
    json["boxes"] = {{"reference", figures.reference_boxes}, {"candidate", figures.candidate_boxes}};
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
  if (comparison.labelled != 0)
    json["top1"] = {{"reference", or_null(comparison.reference_top1())},
                    {"candidate", or_null(comparison.candidate_top1())}};
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
    json["tasks"][output.name] = task_json(output.figures);
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

std::string text_of(const VerifyFacts& facts, const Style& style) {
  const Comparison& comparison = facts.comparison;
  std::string text = style.bold(printable(facts.candidate)) + " against " + printable(facts.reference) +
                     ", " + format_plural(comparison.samples, "sample") + "\n";
  text += "  images         " + preprocessing_text(facts.preprocessing) + "\n";
  if (comparison.labelled != 0)
    text += "  top-1          " + percent(comparison.reference_top1()) + " -> " +
            percent(comparison.candidate_top1()) + "\n";
  const bool single = comparison.outputs.size() == 1;
  for (const OutputComparison& output : comparison.outputs)
    text += "  agreement      " + (single ? "" : printable(output.name) + ": ") +
            agreement_text(output.figures) + "\n";
  for (const OutputComparison& output : comparison.outputs)
    text += "  task           " + (single ? "" : printable(output.name) + ": ") +
            name_of(output.figures.task.task) + " (" + printable(output.figures.task.reason) + ")\n";
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
  const std::string agreement = percent(figures.agreement);
  const auto number = [](const std::optional<double>& value, int digits) {
    return value ? format_fixed(*value, digits) : "unknown";
  };
  switch (figures.task.task) {
    case Task::kClassification:
      return agreement + " of samples have the same best class";
    case Task::kText:
      return agreement + " of positions have the same best class, " + percent(figures.sequences) +
             " of samples at every position";
    case Task::kSegmentation:
      return agreement + " of pixels have the same class, mean IoU " + number(figures.mean_iou, 4);
    case Task::kDetection:
      return agreement + " of " + std::to_string(figures.reference_boxes + figures.candidate_boxes) +
             " boxes of both models have a partner of the same class";
    case Task::kEmbedding:
      return agreement + " of samples have the same nearest neighbour, mean cosine " +
             number(figures.cosine, 4);
    case Task::kImage:
      return "none for images; PSNR " + decibel(figures.psnr_db) + (figures.psnr_db ? " dB" : "");
    case Task::kNone:
      break;
  }
  return "none, as the meaning of the output is not known; --task NAME says it";
}

Report verify_report(const VerifyFacts& facts, const Style& style) {
  return {.json = json_of(facts),
          .text = text_of(facts, style),
          .exit_code = all_passed(facts.checks) ? kExitOk : kExitCheckFailed,
          .failures = failures_of(facts.checks)};
}

}  // namespace quantize
