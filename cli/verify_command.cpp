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
#include "cli/truth_labels.h"
#include "cli/verify_report.h"
#include "core/integer/model_facts.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

struct VerifyOptions {
  std::string reference, candidate;
  std::vector<std::string> tasks;
  SampleFlags samples;
  EngineOptions engine;
  InputShapes input_shapes;
  LabelFlags labels;
  bool layers = false;
  Bound bound;
};

void warn_of_labels(const VerifyOptions& options, const Comparison& comparison, Diagnostics& diagnostics) {
  const size_t labelled = comparison.top1.labelled + comparison.shown,
               missing = comparison.samples - labelled;
  if (labelled == 0)
    throw Error(ErrorKind::kInvalidArgument, "no sample has a label in '" + options.labels.file + "'");
  if (missing != 0)
    diagnostics.warn(std::to_string(missing) + " of " + format_plural(comparison.samples, "sample") +
                     " have no label in '" + options.labels.file + "'");
  if (comparison.likely_offset)
    diagnostics.warn("top-1 of the reference is " + format_fixed(*comparison.top1.reference(), 2) +
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
  if (output.figures.figure("boxes/reference") == 0)
    diagnostics.warn("the reference finds no box of a score of at least " +
                     format_fixed(output.figures.figure("threshold"), 2) + " in '" + output.name +
                     "': check the preprocessing, or name another --task");
}

void explain(const VerifyFacts& facts, Console& console) {
  for (const OutputComparison& output : facts.comparison.outputs) {
    console.explain("output '" + output.name + "': " + name_of(output.figures.task) + ", " +
                    output.figures.task.reason);
    for (const WorstSample& sample : output.figures.worst)
      console.explain("output '" + output.name + "', among the worst: " + facts.sample_name(sample.sample) +
                      ", likeness " + format_fixed(sample.likeness, 4));
  }
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
          .tasks = parse_tasks(options.tasks),
          .needs = options.bound.min_agreement ? std::vector{Need::kAgreement} : std::vector<Need>{}};
}

// The labels of --labels, of the kind that the file or folder holds.
struct Labels {
  LabelKind kind = LabelKind::kClasses;
  std::map<std::string, int64_t> classes = {};
};

Labels read_class_labels(const VerifyOptions& options) {
  const std::string& file = options.labels.file;
  if (file.empty()) return {};
  Labels labels{.kind = kind_of_labels(file)};
  if (labels.kind == LabelKind::kClasses)
    labels.classes = read_labels(file, options.labels.offset);
  else if (options.labels.offset != 0)
    throw Error(ErrorKind::kInvalidArgument, "--label-offset is for labels of one class an image");
  return labels;
}

const char* metric_of(LabelKind kind) {
  return kind == LabelKind::kClasses ? "top-1" : kind == LabelKind::kBoxes ? "AP" : "the mean IoU";
}

// Gives the comparison the labels of its samples.
void use_labels(const VerifyOptions& options, const Labels& labels, const Samples& samples,
                ComparisonOptions& compared, Diagnostics& diagnostics) {
  const std::string& file = options.labels.file;
  if (file.empty()) return;
  if (labels.kind != LabelKind::kClasses) {
    const bool boxes = labels.kind == LabelKind::kBoxes;
    compared.truth =
        read_truth(file, labels.kind, samples.source,
                   samples.preprocessing ? std::optional(samples.preprocessing->preprocess) : std::nullopt);
    compared.needs.push_back(boxes ? Need::kBoxes : Need::kMasks);
    return;
  }
  warn_of_unmatched_labels(file, labels.classes, samples.source.found(), diagnostics);
  check_some_labelled(file, labels.classes, samples.source);
  compared.label = [&](size_t s) { return label_of(labels.classes, samples.source.name(s)); };
  compared.needs.push_back(Need::kClasses);
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
  Labels labels = read_class_labels(options);
  Samples samples = open_samples(options.samples, reference, options.engine, console, labels.classes);
  console.explain("images: " + preprocessing_text(samples.preprocessing));
  use_labels(options, labels, samples, compared, console.diagnostics);
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
  facts.sample_name = [&](size_t s) { return samples.source.name(s); };
  explain(facts, console);
  facts.skipped_images = samples.source.bad_images().size();
  for (const std::string& warning : facts.comparison.warnings) console.diagnostics.warn(warning);
  for (const OutputComparison& output : facts.comparison.outputs)
    warn_of_output(output, facts.comparison.samples, console.diagnostics);
  if (!options.labels.file.empty()) warn_of_labels(options, facts.comparison, console.diagnostics);
  facts.checks = checks_of(options.bound, {.agreement = facts.comparison.agreement(),
                                           .sqnr_db = facts.comparison.sqnr_db(),
                                           .drop = facts.comparison.drop(),
                                           .drop_of = metric_of(labels.kind)});
  return verify_report(facts, console.style());
}

CommandBody define(CLI::App& app) {
  const auto options = std::make_shared<VerifyOptions>();
  app.add_option("REFERENCE.onnx", options->reference, "the model that is right")->required();
  app.add_option("CANDIDATE.onnx", options->candidate, "the model to judge")->required();
  options->samples.path_option = "--images,--calib";
  add_sample_options(app, options->samples, true);
  add_task_option(app, options->tasks);
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
