// quantize verify: how far a candidate is from its reference, and where.
#include "cli/verify_command.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "calibration/search/auto_preprocess.h"
#include "calibration/search/comparison.h"
#include "calibration/statistics/budget.h"
#include "cli/bound_options.h"
#include "cli/checks.h"
#include "cli/console.h"
#include "cli/labels.h"
#include "cli/max_memory.h"
#include "cli/options.h"
#include "cli/samples.h"
#include "cli/task_options.h"
#include "cli/text.h"
#include "cli/verify_report.h"
#include "core/integer/model_facts.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

struct VerifyOptions {
  std::string reference, candidate;
  std::string task = kAutoTask;
  SampleFlags samples;
  EngineOptions engine;
  InputShapes input_shapes;
  LabelFlags labels;
  bool layers = false;
  Bound bound;
};

void warn_of_labels(const VerifyOptions& options, const Comparison& comparison, Diagnostics& diagnostics) {
  const size_t missing = comparison.samples - comparison.labelled;
  if (comparison.labelled == 0)
    throw Error(ErrorKind::kInvalidArgument, "no sample has a label in '" + options.labels.file +
                                                 "'; its lines are an image's name and its class");
  if (missing != 0)
    diagnostics.warn(std::to_string(missing) + " of " + format_plural(comparison.samples, "sample") +
                     " have no label in '" + options.labels.file + "'");
  if (comparison.likely_offset)
    diagnostics.warn("top-1 of the reference is " + format_fixed(*comparison.reference_top1(), 2) +
                     " %, but most of its classes are the labels plus " +
                     std::to_string(*comparison.likely_offset) + "; give --label-offset " +
                     std::to_string(options.labels.offset + *comparison.likely_offset));
}

void warn_of_output(const OutputComparison& output, size_t samples, Diagnostics& diagnostics) {
  const auto holds = [&](const char* model, size_t count) {
    if (count != 0)
      diagnostics.warn("the output '" + output.name + "' of the " + model + " holds NaN or infinity in " +
                       std::to_string(count) + " of " + format_plural(samples, "sample") +
                       ": these agree with nothing, and the output has no SQNR");
  };
  holds("reference", output.reference_not_finite);
  holds("candidate", output.candidate_not_finite);
  if (output.figures.task.task == Task::kDetection && output.figures.reference_boxes == 0)
    diagnostics.warn("the reference finds no box of at least " + format_fixed(100 * kConfident, 0) +
                     " % in '" + output.name + "': check the preprocessing, or name another --task");
}

void explain(const Comparison& comparison, Console& console) {
  for (const OutputComparison& output : comparison.outputs)
    console.explain("output '" + output.name + "': " + name_of(output.figures.task.task) + ", " +
                    output.figures.task.reason);
}

std::string describe(const std::string& file, const Graph& graph) {
  return file + ": " + format_plural(graph.nodes.size(), "node") + ", opset " +
         std::to_string(graph.opset()) + ", " + quantization_facts(graph).format;
}

// Both models are run side by side, a sample a thread.
void check_memory_of_both(const VerifyOptions& options, const Graph& reference, const Graph& candidate) {
  const auto needed = [&](const std::string& file, const Graph& graph) {
    return with_context([&] { return file; },
                        [&] { return needed_bytes(open_model(graph), options.engine.thread_count()); });
  };
  check_needed(needed(options.reference, reference) + needed(options.candidate, candidate),
               max_memory(options.engine.max_memory));
}

ComparisonOptions comparison_options(const VerifyOptions& options) {
  return {.threads = options.engine.thread_count(),
          .kernels = &options.engine.kernels(),
          .task = parse_task(options.task),
          .needs_agreement = options.bound.min_agreement.has_value()};
}

Report verify(const VerifyOptions& options, Console& console) {
  check_bound(options.bound, options.labels, console.diagnostics);
  Graph reference = load_model(options.reference, options.input_shapes, options.engine, console.diagnostics);
  const Graph candidate =
      load_model(options.candidate, options.input_shapes, options.engine, console.diagnostics);
  console.explain(describe(options.reference, reference));
  console.explain(describe(options.candidate, candidate));
  for (const char* key : {kPreprocessKey, kPreprocessOriginKey}) {
    const auto described = candidate.info.metadata.find(key);
    if (described != candidate.info.metadata.end()) reference.info.metadata[key] = described->second;
  }

  check_memory_of_both(options, reference, candidate);
  ComparisonOptions compared = comparison_options(options);
  std::map<std::string, int64_t> labels;
  if (!options.labels.file.empty()) labels = read_labels(options.labels.file, options.labels.offset);
  Samples samples = open_samples(options.samples, reference, options.engine, console, labels);
  console.explain("images: " + preprocessing_text(samples.preprocessing));
  warn_of_unmatched_labels(options.labels.file, labels, samples.source.found(), console.diagnostics);
  if (!labels.empty()) check_some_labelled(options.labels.file, labels, samples.source);
  if (!labels.empty()) compared.label = [&](size_t s) { return label_of(labels, samples.source.name(s)); };
  const Batches batches(samples.source, std::max(fixed_batch(reference), fixed_batch(candidate)));
  SampleCensus census(batches.batch(), samples.source.count());

  VerifyFacts facts{.reference = options.reference,
                    .candidate = options.candidate,
                    .preprocessing = samples.preprocessing,
                    .comparison = {},
                    .layers = {},
                    .checks = {}};
  {
    Progress progress = console.progress("verifying");
    compared.census = &census;
    compared.progress = [&](size_t done, size_t of) { progress.update(done, of); };
    facts.comparison = compare(reference, candidate, batches, compared);
  }
  explain(facts.comparison, console);
  if (options.layers) {
    console.explain("layers: once more, without fusion, on at most " + std::to_string(kMostLayerSamples) +
                    " samples");
    Progress progress = console.progress("layers");
    compared.progress = [&](size_t done, size_t of) { progress.update(done, of); };
    facts.layers = compare_layers(reference, candidate, batches, compared);
  }
  warn_of_bad_images(samples.source, console.diagnostics);
  for (std::string& warning :
       census.outliers([&](size_t i) { return samples.source.name(i); },
                       "the SQNR of all samples is mostly theirs and the median is not"))
    console.diagnostics.warn(std::move(warning));
  facts.skipped_images = samples.source.bad_images().size();
  for (const std::string& warning : facts.comparison.warnings) console.diagnostics.warn(warning);
  for (const OutputComparison& output : facts.comparison.outputs)
    warn_of_output(output, facts.comparison.samples, console.diagnostics);
  if (!options.labels.file.empty()) warn_of_labels(options, facts.comparison, console.diagnostics);
  facts.checks = checks_of(options.bound, {.agreement = facts.comparison.agreement(),
                                           .sqnr_db = facts.comparison.sqnr_db(),
                                           .drop = facts.comparison.drop()});
  return verify_report(facts, console.style());
}

CommandBody define(CLI::App& app) {
  const auto options = std::make_shared<VerifyOptions>();
  app.add_option("REFERENCE.onnx", options->reference, "the model that is right")->required();
  app.add_option("CANDIDATE.onnx", options->candidate, "the model to judge")->required();
  options->samples.path_option = "--images,--calib";
  add_sample_options(app, options->samples, true);
  add_task_option(app, options->task);
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
