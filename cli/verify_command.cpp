// quantize verify: how far a candidate is from its reference, and where.
#include "cli/verify_command.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "calibration/auto_preprocess.h"
#include "cli/bound_options.h"
#include "cli/comparison.h"
#include "cli/console.h"
#include "cli/options.h"
#include "cli/samples.h"
#include "cli/text.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

struct VerifyOptions {
  std::string reference, candidate;
  SampleFlags samples;
  EngineOptions engine;
  InputShapes input_shapes;
  LabelFlags labels;
  bool layers = false;
  Bound bound;
};

// One check that was asked for.
struct Check {
  std::string text;
  bool passed;
};

// Nothing if that of an output is not known.
std::optional<double> worst_sqnr(const Comparison& comparison) {
  std::optional<double> worst = Deviation::kMaxDb;
  for (const auto& [name, deviation] : comparison.outputs) worst = std::min(worst, deviation.sqnr_db());
  return worst;
}

std::vector<Check> checks_of(const VerifyOptions& options, const Comparison& comparison) {
  std::vector<Check> checks;
  const auto at_least = [&](const std::string& what, const std::optional<double>& value,
                            const std::optional<double>& limit) {
    if (!limit) return;
    checks.push_back(
        {what + " " + format_fixed(value, 2) + ", at least " + format_fixed(*limit, 2) + " wanted",
         value && *value >= *limit});
  };
  at_least("agreement in percent", comparison.agreement(), options.bound.min_agreement);
  at_least("SQNR in dB of the worst output", worst_sqnr(comparison), options.bound.min_sqnr);
  if (options.bound.max_drop) {
    const double drop = comparison.reference_top1() - comparison.candidate_top1();
    checks.push_back({"top-1 dropped by " + format_fixed(drop, 2) + " points, at most " +
                          format_fixed(*options.bound.max_drop, 2) + " wanted",
                      drop <= *options.bound.max_drop});
  }
  return checks;
}

bool all_passed(const std::vector<Check>& checks) {
  return std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.passed; });
}

Json json_of(const VerifyOptions& options, const Comparison& comparison, const Samples& samples,
             bool passed) {
  Json json;
  json["reference"] = options.reference;
  json["candidate"] = options.candidate;
  json["samples"] = comparison.samples;
  json["skipped_images"] = samples.source.bad_images().size();
  json["preprocessing"] = preprocessing_json(samples.preprocessing);
  if (comparison.labelled != 0)
    json["top1"] = {{"reference", comparison.reference_top1()}, {"candidate", comparison.candidate_top1()}};
  json["agreement"] = comparison.agreement();
  json["outputs"] = Json::object();
  for (const auto& [name, deviation] : comparison.outputs)
    json["outputs"][name] = {{"sqnr_db", or_null(deviation.sqnr_db())},
                             {"max_abs_diff", deviation.max_abs_diff}};
  if (options.layers) {
    json["layers"] = Json::array();
    for (const LayerDeviation& layer : comparison.layers)
      json["layers"].push_back({{"name", layer.name},
                                {"op_type", layer.op_type},
                                {"sqnr_db", or_null(layer.deviation.sqnr_db())}});
  }
  json["passed"] = passed;
  return json;
}

std::string decibel(const Deviation& deviation) {
  if (deviation.non_finite != 0) return "not finite";
  return deviation.noise == 0 ? "identical" : format_fixed(deviation.sqnr_db(), 2);
}

// Worst first.
std::string layer_table(const Comparison& comparison, const Style& style) {
  std::vector<LayerDeviation> layers = comparison.layers;
  std::stable_sort(layers.begin(), layers.end(), [](const LayerDeviation& a, const LayerDeviation& b) {
    return a.deviation.sqnr_db() < b.deviation.sqnr_db();
  });
  Table table({{"layer, worst first"}, {"op_type"}, {"SQNR dB", Table::Align::kRight}});
  for (const LayerDeviation& layer : layers) table.add({layer.name, layer.op_type, decibel(layer.deviation)});
  return "\n" + table.text(style);
}

std::string text_of(const VerifyOptions& options, const Comparison& comparison, const Samples& samples,
                    const std::vector<Check>& checks, const Style& style) {
  std::string text = style.bold(printable(options.candidate)) + " against " + printable(options.reference) +
                     ", " + format_plural(comparison.samples, "sample") + "\n";
  text += "  images         " + preprocessing_text(samples.preprocessing) + "\n";
  if (comparison.labelled != 0)
    text += "  top-1          " + format_fixed(comparison.reference_top1(), 2) + " % -> " +
            format_fixed(comparison.candidate_top1(), 2) + " %\n";
  text += "  agreement      " + format_fixed(comparison.agreement(), 2) + " % have the same best class\n\n";
  Table table({{"output"}, {"SQNR dB", Table::Align::kRight}, {"largest difference", Table::Align::kRight}});
  for (const auto& [name, deviation] : comparison.outputs)
    table.add({name, decibel(deviation), format_fixed(deviation.max_abs_diff, 6)});
  text += table.text(style);
  if (options.layers) text += layer_table(comparison, style);
  for (const Check& check : checks)
    text += (check.passed ? style.good("\n  passed  ") : style.bad("\n  FAILED  ")) + check.text;
  return checks.empty() ? text : text + "\n";
}

void check_labels(const VerifyOptions& options, const Comparison& comparison, Diagnostics& diagnostics) {
  const size_t missing = comparison.samples - comparison.labelled;
  if (comparison.labelled == 0)
    throw Error(ErrorKind::kInvalidArgument, "no sample has a label in '" + options.labels.file +
                                                 "'; its lines are an image's name and its class");
  if (missing != 0)
    diagnostics.warn(std::to_string(missing) + " of " + format_plural(comparison.samples, "sample") +
                     " have no label in '" + options.labels.file + "'");
}

void warn_of_non_finite(const Comparison& comparison, Diagnostics& diagnostics) {
  for (const auto& [name, deviation] : comparison.outputs)
    if (deviation.non_finite != 0)
      diagnostics.warn("output '" + name + "' holds NaN or infinity in " +
                       format_plural(deviation.non_finite, "element") +
                       " of the reference or the candidate: its SQNR is unknown, and a sample with NaN "
                       "agrees with no other");
}

Report verify(const VerifyOptions& options, Console& console) {
  if (options.bound.max_drop && options.labels.file.empty())
    throw Error(ErrorKind::kInvalidArgument, "--max-drop needs --labels to know the right classes");
  Graph reference = load_model(options.reference, options.input_shapes);
  const Graph candidate = load_model(options.candidate, options.input_shapes);
  for (const char* key : {kPreprocessKey, kPreprocessOriginKey}) {
    const auto described = candidate.info.metadata.find(key);
    if (described != candidate.info.metadata.end()) reference.info.metadata[key] = described->second;
  }

  ComparisonOptions comparison_options{
      options.engine.thread_count(), &options.engine.kernels(), options.layers, {}};
  if (!options.labels.file.empty())
    comparison_options.labels = read_labels(options.labels.file, options.labels.offset);
  Samples samples = open_samples(options.samples, reference, options.engine, console);
  const auto opened = [](const std::string& path, const Graph& graph) {
    return with_context([&] { return path; }, [&] { return open_model(graph); });
  };
  const Comparison comparison =
      compare(opened(options.reference, reference), opened(options.candidate, candidate), samples.source,
              comparison_options, console);
  warn_of_bad_images(samples.source, console.diagnostics);
  if (!options.labels.file.empty()) check_labels(options, comparison, console.diagnostics);

  warn_of_non_finite(comparison, console.diagnostics);

  const std::vector<Check> checks = checks_of(options, comparison);
  const bool passed = all_passed(checks);
  return {json_of(options, comparison, samples, passed),
          text_of(options, comparison, samples, checks, console.style()),
          passed ? kExitOk : kExitCheckFailed};
}

CommandBody define(CLI::App& app) {
  const auto options = std::make_shared<VerifyOptions>();
  app.add_option("REFERENCE.onnx", options->reference, "the model that is right")->required();
  app.add_option("CANDIDATE.onnx", options->candidate, "the model to judge")->required();
  add_sample_options(app, options->samples, true);
  app.add_flag("--layers", options->layers, "the SQNR of every layer, the worst first");
  add_bound_options(app, options->bound, "exit 1 unless");
  add_label_options(app, options->labels);
  add_input_shapes(app, options->input_shapes);
  add_engine_options(app, options->engine);
  return [options](Console& console) { return verify(*options, console); };
}

}  // namespace

const Command kVerifyCommand = {
    .name = "verify",
    .summary = "how far a quantized model is from its reference, and where",
    .example =
        "  quantize verify mobilenet.onnx mobilenet.qdq.onnx --images photos/ --min-agreement 95 --layers\n",
    .define = define,
};

}  // namespace quantize
