// The default command: an FP32 model and images to a quantized model. Read quantize(): it is the table of
// contents of the whole program.
#include "cli/quantize_command.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <memory>

#include "calibration/images/batches.h"
#include "calibration/images/check_samples.h"
#include "calibration/images/preprocess_file.h"
#include "calibration/search/auto_preprocess.h"
#include "calibration/search/choose_plan.h"
#include "calibration/search/fit_size.h"
#include "calibration/statistics/statistics_file.h"
#include "cli/bench_measure.h"
#include "cli/bound_options.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/keep_unknown.h"
#include "cli/labels.h"
#include "cli/max_memory.h"
#include "cli/mode_options.h"
#include "cli/option_checks.h"
#include "cli/options.h"
#include "cli/quantize_flags.h"
#include "cli/quantize_report.h"
#include "cli/samples.h"
#include "cli/scheme_options.h"
#include "cli/selected.h"
#include "cli/task_options.h"
#include "cli/text.h"
#include "cli/truth_labels.h"
#include "cli/write_model.h"
#include "core/integer/model_facts.h"
#include "core/passes/passes.h"
#include "core/quantization/activation_bits.h"
#include "core/quantization/known_scales.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/plan_quantization.h"
#include "core/quantization/rest/plan_rest.h"
#include "onnx_io/onnx_io.h"

namespace quantize {

namespace fs = std::filesystem;

namespace {

// Statistics of the activations, and where they are known from.
struct Learned {
  StatisticsTable statistics;
  std::optional<PreprocessChoice> preprocessing;  // nothing: tensors
  std::unique_ptr<Samples> samples;  // that can be run again; nullptr if only statistics are at hand
  std::map<std::string, int64_t> labels = {};
  SampleSet search_samples = {};  // of `samples`
  std::unique_ptr<FloatOutputs>
      outputs;        // of the network, for those that judge; nullptr where it has not run
  bool read = false;  // the statistics, from a file that was there
};

// The step is over: with --verbose, say so; after Ctrl-C, stop.
void done(Console& console, const std::string& what) {
  console.explain(what);
  throw_if_interrupted();
}

// Statistics keep the preprocessing as a model's metadata do.
std::map<std::string, std::string> preprocessing_in(const StatisticsTable& table) {
  if (table.preprocessing.empty()) return {};
  return {{kPreprocessKey, table.preprocessing}, {kPreprocessOriginKey, table.preprocessing_origin}};
}

Learned read_statistics(const QuantizeFlags& flags, const Graph& graph) {
  StatisticsTable table = load_statistics(flags.statistics);
  if (table.samples == 0)
    throw Error(ErrorKind::kCalibration,
                "'" + flags.statistics + "' is of a shard without a usable sample; merge it with the others");
  std::optional<PreprocessChoice> choice;
  std::vector<ImageInput> inputs;  // that took images, if any did
  if (!table.preprocessing.empty() || flags.samples.preprocess != "auto")
    inputs = inputs_in(table.preprocessing, sample_inputs(graph));
  if (flags.samples.preprocess != "auto" && !inputs.empty())
    choice = given_preprocess(flags.samples.preprocess, inputs);
  with_context([&] { return flags.statistics; },
               [&] {
                 check_origin(table, fingerprint(graph),
                              choice ? settings_json(*choice) : table.preprocessing);
                 if (choice || table.preprocessing.empty()) return;
                 choice = kept_preprocess(preprocessing_in(table), inputs);
                 choice->evidence.insert(choice->evidence.begin(), "as in '" + flags.statistics + "'");
               });
  Learned learned;
  learned.statistics = std::move(table);
  learned.preprocessing = std::move(choice);
  return learned;
}

// A quarter of the images judges what the others are used for; a bound is a promise, which takes more of
// them.
size_t held_back_of(const QuantizeFlags& flags, size_t count) {
  constexpr size_t kFewest = 16, kMost = 64, kMostForBound = 256;  // of fewer, none can be judge
  if (!flags.validate) {
    if (flags.bound && count < 4)
      throw Error(ErrorKind::kInvalidArgument, "a bound on the loss needs at least 4 images in --calib");
    return flags.bound       ? std::min(count / 2, kMostForBound)
           : count < kFewest ? 0
                             : std::min(count / 4, kMost);
  }
  if (flags.bound && *flags.validate == 0)
    throw Error(
        ErrorKind::kInvalidArgument,
        "--min-agreement, --min-sqnr and --max-drop need images to be held back; leave out --validate 0");
  if (*flags.validate >= count)
    throw Error(ErrorKind::kInvalidArgument, "--validate " + std::to_string(*flags.validate) +
                                                 " leaves none of " + format_plural(count, "sample") +
                                                 " to calibrate on");
  return *flags.validate;
}

void warn_of_missing(const QuantizeFlags& flags, const StatisticsTable& statistics, Console& console) {
  const std::string missing = missing_samples(statistics.held);
  if (!missing.empty())
    console.diagnostics.warn("'" + flags.statistics + "': " + missing +
                             "; merge their statistics with these");
}

// As many again, at most a third of the rest: what is left is fitted to.
size_t confirming_of(size_t held_back, size_t count) {
  constexpr size_t kMost = 32;
  return std::min({held_back, (count - held_back) / 3, kMost});
}

// The memory that --max-memory leaves for optional work. Errors: those of check_memory.
uint64_t spare_memory(const QuantizeFlags& flags, const Graph& graph) {
  return max_memory(flags.engine.max_memory) - check_memory(graph, flags.engine.thread_count(), flags.engine);
}

// A search passes over its images up to ten times and keeps them decoded; 128 MiB are 891 images of 224 x 224.
size_t kept_image_bytes(const QuantizeFlags& flags, const Graph& graph) {
  constexpr uint64_t kMost = uint64_t{128} << 20;
  if (flags.scheme.scheme.method != kAutoMethod) return 0;
  return static_cast<size_t>(std::min(kMost, spare_memory(flags, graph) / 4));
}

// The samples as the search takes them: those that judge, and what is known of them.
SampleSet search_samples(const QuantizeFlags& flags, const Graph& source, Learned& learned) {
  SampleSource& images = learned.samples->source;
  SampleSet samples = sample_set(images, source);
  const auto batch = static_cast<size_t>(samples.batch);
  samples.held_back = std::min((held_back_of(flags, images.count()) + batch - 1) / batch, samples.count - 1);
  if (flags.bound && samples.held_back == 0)
    throw Error(ErrorKind::kInvalidArgument,
                "a bound on the loss needs images of two batches of the model at least; give more of them");
  samples.tasks = parse_tasks(flags.tasks);
  samples.confirming = confirming_of(samples.held_back, samples.count);
  if (!learned.labels.empty())
    samples.label = [&images, labels = learned.labels](size_t i) { return label_of(labels, images.name(i)); };
  return samples;
}

// The request is the same before the long work as it is after.
PlanRequest plan_request(const QuantizeFlags& flags, const QuantizationScheme& scheme) {
  return {scheme, find_target(target_of(flags)), flags.bound};
}

// The statistics of the samples, and what the network computes of those that will judge others.
StatisticsTable calibrate(const QuantizeFlags& flags, const Graph& graph, const QuantizationScheme& scheme,
                          Learned& learned, Console& console) {
  const uint64_t most = std::min<uint64_t>(kValidationBytes, spare_memory(flags, graph) / 4);
  learned.outputs = std::make_unique<FloatOutputs>(
      judging_samples(plan_request(flags, scheme), learned.search_samples), most);
  learned.search_samples.outputs = learned.outputs.get();
  if (flags.sharing.team != nullptr)
    return calibrate_shared(graph, *learned.samples, flags.engine, flags.sharing, console,
                            learned.outputs.get());
  return calibrate(graph, learned.samples->source, flags.engine, console, learned.outputs.get());
}

// The statistics are the leader's alone, who does the rest and writes.
bool leads(const QuantizeFlags& flags) {
  return flags.sharing.team == nullptr || flags.sharing.team->leads();
}

Learned learn(const QuantizeFlags& flags, const Graph& source, const Graph& graph,
              const QuantizationScheme& scheme, Console& console) {
  Learned learned;
  const bool known = !flags.statistics.empty() && fs::exists(flags.statistics);
  if (known) learned = read_statistics(flags, graph);
  learned.read = known;
  if (flags.samples.paths.empty() && !known) {
    learned.statistics.model = fingerprint(graph);
    return learned;
  }
  if (flags.samples.paths.empty()) {
    warn_of_guess(learned.preprocessing, console.diagnostics);
    warn_of_missing(flags, learned.statistics, console);
    return learned;
  }
  Graph described = source;
  for (const auto& [key, text] : preprocessing_in(learned.statistics)) described.info.metadata[key] = text;
  if (!flags.labels.file.empty() && kind_of_labels(flags.labels.file) != LabelKind::kClasses)
    throw Error(ErrorKind::kInvalidArgument,
                "the labels '" + flags.labels.file +
                    "' are of boxes or pixels, which verify alone takes; give lines "
                    "of an image's name and its class");
  if (!flags.labels.file.empty()) learned.labels = read_labels(flags.labels.file, flags.labels.offset);
  SampleFlags wanted = flags.samples;
  wanted.kept_image_bytes = kept_image_bytes(flags, graph);
  learned.samples.reset(new Samples(open_samples(wanted, described, flags.engine, console, learned.labels)));
  Samples& samples = *learned.samples;
  warn_of_unmatched_labels(flags.labels.file, learned.labels, samples.source.found(), console.diagnostics);
  if (flags.bound.max_drop) check_some_labelled(flags.labels.file, learned.labels, samples.source);
  learned.search_samples = search_samples(flags, source, learned);
  if (known) {
    with_context([&] { return flags.statistics; },
                 [&] { check_samples(learned.statistics.held, samples.source); });
    return learned;
  }
  learned.preprocessing = samples.preprocessing;
  done(console, "images: " + preprocessing_text(samples.preprocessing) + " " + samples.source.fingerprint());
  learned.statistics = calibrate(flags, graph, scheme, learned, console);
  if (samples.preprocessing) learned.statistics.preprocessing_origin = origin_json(*samples.preprocessing);
  if (!flags.statistics.empty() && leads(flags)) save_statistics(learned.statistics, flags.statistics);
  return learned;
}

ChosenPlan choose_plan(const QuantizeFlags& flags, const Graph& graph, const Learned& learned,
                       const QuantizationScheme& scheme, Console& console) {
  const bool measures = scheme.method == kAutoMethod || scheme.bias_correction == BiasCorrection::kMeasured;
  if (!learned.samples && measures && takes_ranges(scheme))
    console.diagnostics.warn(
        "without images nothing can be tried out: ranges are by " + method_untried(scheme) +
        ", biases corrected in closed form at most; give --calib beside --statistics for more");
  CalibrateOptions options;
  options.threads = flags.engine.thread_count();
  options.kernels = &flags.engine.kernels();
  options.budget.bytes =
      std::min(Budget::kMostBytes, spare_memory(flags, graph) - kept_image_bytes(flags, graph));
  Progress progress = console.progress("trying");  // how many there will be is not known
  options.progress = [&](size_t tried) { progress.update(tried, 0); };
  return choose_plan(graph, learned.statistics, plan_request(flags, scheme), learned.search_samples, options);
}

void check_labelled(const QuantizeFlags& flags, const ChosenPlan& chosen) {
  if (flags.bound.max_drop && chosen.quality && chosen.quality->top1.labelled == 0)
    throw Error(ErrorKind::kInvalidArgument, "no held-back image has a label in '" + flags.labels.file +
                                                 "'; its lines are an image's name and its class");
}

// The share of FP32's time that is left under a bound: bench, in a few rounds. Nothing where the shape of an
// input is open, or where a model cannot be read again.
std::optional<double> time_ratio(const QuantizeFlags& flags, const Graph& graph, Console& console) {
  if (!flags.bound || !sizes_are_known(graph)) return std::nullopt;
  if (is_stream(flags.model) || is_stream(output_of(flags))) return std::nullopt;
  BenchPlan plan;
  plan.files = {flags.model, output_of(flags)};
  plan.input_shapes = flags.input_shapes;
  plan.kernels = &flags.engine.kernels();
  plan.threads = flags.engine.thread_count();
  plan.rounds = 5;
  return measure(plan, console).models[1].ratio;
}

// The plan with the bits of weights with which its file is no larger than --max-size.
ChosenPlan choose_sized_plan(const QuantizeFlags& flags, const Graph& graph, const Learned& learned,
                             const WrittenFor& about, Console& console) {
  const std::optional<uint64_t> limit = max_size_of(flags);
  if (!limit) return choose_plan(flags, graph, learned, about.scheme, console);
  constexpr int kMostTries = 4;  // the search may make a larger file than the plan that bits were chosen for
  uint64_t bytes = 0, goal = *limit;
  for (int tries = 0; tries < kMostTries; ++tries) {
    const SizeGoal size{goal, *code_form_of(flags, about.scheme), [&](const PlannedModel& planned) {
                          return model_bytes(model_of(flags, planned, {}, about));
                        }};
    const QuantizationScheme sized = fit_size(graph, learned.statistics, plan_request(flags, about.scheme),
                                              size, flags.engine.thread_count());
    ChosenPlan chosen = choose_plan(flags, graph, learned, sized, console);
    bytes = model_bytes(model_of(flags, chosen.planned, chosen.recipe, about));
    if (bytes <= *limit || !chosen.bound_met) return chosen;
    goal -= std::min(goal - 1, bytes - *limit);
  }
  throw Error(ErrorKind::kUnsupported, "the plan takes " + std::to_string(bytes) +
                                           " bytes, above --max-size " + std::to_string(*limit) +
                                           "; allow that, or leave out what puts layers back into float");
}

KnownSource open_source(const QuantizeFlags& flags, Console& console) {
  const auto load = [&] {
    const Progress progress = console.progress("reading the model");
    return load_model(flags.model, flags.input_shapes, flags.engine, console.diagnostics);
  };
  KnownSource source = known_source(flags.known, flags.model, load());
  done(console, flags.model + ": " + format_plural(source.graph.nodes.size(), "node") + ", opset " +
                    std::to_string(source.graph.opset()));
  return source;
}

void warn_of_input_type(const QuantizeFlags& flags, const Graph& source, Diagnostics& diagnostics) {
  for (const ValueId id : source.inputs)
    if (source.value(id).dtype == DataType::kF32) return;
  if (flags.input_type == "u8")
    diagnostics.warn("--input-type u8 has no effect: no input of the model takes floats; leave it out");
}

Graph make_ready(const QuantizeFlags& flags, const Graph& source, const QuantizationScheme& scheme,
                 Console& console) {
  const TargetProfile& target = find_target(target_of(flags));
  constexpr int64_t kAnyBits = 21;  // for whatever bits a size needs: above, no operator changes its meaning
  const int64_t opset =
      std::max({target.opsets.lowest, opset_of_modes(scheme), opset_of_rest(scheme), opset_of_bits(scheme),
                opset_of(code_form_of(flags, scheme).value_or(CodeForm::kWholeBytes)),
                max_size_of(flags) && target.unpacks_codes ? kAnyBits : 0});
  Graph graph = with_context([&] { return flags.model; },
                             [&] {
                               const Progress progress = console.progress("preparing the model");
                               return open_model(source, opset);
                             });
  check_memory(graph, flags.engine.thread_count(), flags.engine);
  done(console, "prepared: " + format_plural(graph.nodes.size(), "node"));
  return graph;
}

// With scales that are known nothing is left to search, and biases are as they were trained.
QuantizationScheme scheme_of(const QuantizeFlags& flags) {
  SchemeFlags wanted = flags.scheme;
  if (flags.known && wanted.scheme.method == kAutoMethod) wanted.scheme.method = kFallbackMethod;
  if (flags.known && wanted.bias_correction == "auto") wanted.bias_correction = "off";
  QuantizationScheme scheme = make_scheme(wanted, find_target(target_of(flags)));
  const SixteenBits* sixteen = find_target(target_of(flags)).sixteen_bits;
  scheme.may_take_16 =
      flags.bound && flags.scheme.activation_bits.empty() && sixteen != nullptr && sixteen->in_integers;
  scheme.integer_input = flags.input_type == "u8";
  if (scheme.integer_input && scheme.activations.dtype != DataType::kU8)
    throw Error(ErrorKind::kInvalidArgument, "--input-type u8 takes u8 activations; give --activations u8");
  return scheme;
}

void warn_of_plan(const QuantizeFlags& flags, const ChosenPlan& chosen, const QuantizationScheme& scheme,
                  Diagnostics& diagnostics) {
  warn_of_file(flags, chosen.planned, scheme, diagnostics);
  for (const std::vector<std::string>& warnings : {chosen.warnings, chosen.planned.plan.warnings})
    for (const std::string& warning : warnings) diagnostics.warn(warning);
}

void check_request(const QuantizeFlags& flags, Console& console) {
  check_bound(flags.bound, flags.labels, console.diagnostics);
  if (flags.recipe.dry_run) return;
  check_flags(flags);
  claim_outputs(flags, console);
}

}  // namespace

Report quantize(const QuantizeFlags& flags, Console& console) {
  check_request(flags, console);
  QuantizationScheme scheme = scheme_of(flags);
  KnownSource known = open_source(flags, console);
  Graph& source = known.graph;
  scheme.keeps_16_bits = keeps_16_bits(known.scales, find_target(target_of(flags)));
  const std::optional<CutModel> unknown =
      cut_before_unknown(flags.model, source, flags.keep_unknown, flags.samples.paths, console.diagnostics);
  const CutModel* cut = unknown ? &*unknown : nullptr;
  if (cut != nullptr && !cut->fed.empty() && scheme.integer_input)
    throw Error(ErrorKind::kInvalidArgument, "--input-type u8 and samples of '" + cut->fed[0] +
                                                 "', which is no input of the model, exclude each other");
  warn_of_input_type(flags, source, console.diagnostics);
  const Graph graph = make_ready(flags, source, scheme, console);
  const Selected selected = look_up(source, graph, find_target(target_of(flags)), scheme);
  if (flags.recipe.dry_run) return dry_run_report(flags.model, target_of(flags), selected);
  const std::vector<Selector> selectors = all_selectors(selected, console);
  std::optional<TakenScales> scales;
  if (flags.known) scales = take_scales(graph, known, scheme, console.diagnostics);
  const Learned learned = learn(flags, source, graph, scheme, console);
  if (!leads(flags)) return {};
  if (learned.statistics.samples != 0)
    done(console, "calibrated: " + format_plural(learned.statistics.values.size(), "value") + " on " +
                      format_plural(learned.statistics.samples, "sample"));
  warn_of_constants(source, learned.statistics, console.diagnostics);
  const WrittenFor about{scheme, learned.statistics, learned.preprocessing, cut};
  ChosenPlan chosen = choose_sized_plan(flags, graph, learned, about, console);
  check_labelled(flags, chosen);
  warn_of_idle_wishes(selected, scheme, chosen.planned, console.diagnostics);
  done(console, "planned for " + chosen.planned.plan.target);
  std::optional<uint64_t> bytes;
  if (chosen.bound_met) bytes = write(flags, chosen, about);

  if (flags.format != "qdq")
    chosen.planned.plan.floats_kept_clamps = false;  // lowered operators clamp their codes
  warn_of_plan(flags, chosen, scheme, console.diagnostics);
  return quantize_report(
      {.model = flags.model,
       .output = output_of(flags),
       .format = flags.format,
       .preprocessing = learned.preprocessing,
       .samples = learned.statistics.samples,
       .skipped_images = learned.samples ? learned.samples->source.bad_images().size() : 0,
       .bytes_before = bytes_of_model(flags.model, source),
       .bytes_after = bytes,
       .max_size = max_size_of(flags),
       .form = code_form_of(flags, scheme),
       .places = places_text(flags.samples, source),
       .statistics = flags.statistics,
       .statistics_read = learned.read,
       .chosen = chosen,
       .scheme = scheme,
       .selectors = selectors,
       .checks = checks_of(flags.bound, figures_of(chosen.quality)),
       .time_ratio = bytes && cut == nullptr ? time_ratio(flags, source, console) : std::nullopt,
       .cut = cut,
       .scales = scales,
       .explain = flags.explain},
      console);
}

namespace {

Report recipe_report(const Json& recipe) {
  return {{{"recipe", recipe}}, recipe.dump(2) + "\n"};
}

}  // namespace

CommandBody define_quantize(CLI::App& app, const std::shared_ptr<QuantizeFlags>& flags) {
  app.add_option("MODEL.onnx", flags->model, "the FP32 model");
  add_sample_options(app, flags->samples, false);
  output_file(app.add_option("-o,--output", flags->output, "default: MODEL.FORMAT.onnx beside the model"));
  add_scheme_options(app, flags->scheme, "the search");
  add_mode_options(app, flags->scheme);
  add_target_option(app, flags->target, "default: ort-x86 for qdq, native for int8, generic for reference");
  app.add_option("--format", flags->format,
                 "qdq (default); operators on codes; their arithmetic in ONNX's own")
      ->type_name("qdq|int8|reference")
      ->check(one_of({"qdq", "int8", "reference"}));
  app.add_option("--input-type", flags->input_type, "u8: the model takes quantized pixels (default f32)")
      ->type_name("f32|u8")
      ->check(one_of({"f32", "u8"}))
      ->group("Output file");
  app.add_option("--statistics", flags->statistics, "read if it exists (no images needed then), else written")
      ->type_name("FILE")
      ->group("Samples");
  app.add_option("--validate", flags->validate,
                 "images held back to judge every step by (default a quarter, at most 64, none below 16 "
                 "images; half with a bound)")
      ->type_name("N")
      ->check(whole_number(0, 1'000'000'000))
      ->group("Quantization");
  app.add_option(
         "--max-size", flags->max_size,
         "chooses the bits of each layer's weights so that the file takes at most this: bytes, or with "
         "K, M, G")
      ->type_name("SIZE")
      ->group("Quantization");
  add_without_option(app, flags->scheme);
  add_bound_options(app, flags->bound, "leaves layers in float until");
  add_label_options(app, flags->labels);
  add_task_option(app, flags->tasks);
  output_file(app.add_option("--plan", flags->plan, "writes every range, scale and reason as JSON"))
      ->group("Quantization");
  app.add_flag("--explain", flags->explain, "tables of what was tried, and of operators in int8 and in float")
      ->group("Output");
  add_known_scale_options(app, flags->known);
  add_keep_unknown(app, flags->keep_unknown);
  add_input_shapes(app, flags->input_shapes);
  add_engine_options(app, flags->engine);
  const RecipeOptions recipe(app, flags->recipe);
  app.parse_complete_callback([flags, recipe] {
    if (flags->model.empty() && !flags->recipe.print_recipe) throw CLI::RequiredError("MODEL.onnx");
    recipe.take(flags->scheme.rules);
  });
  return [flags, recipe](Console& console) {
    if (flags->recipe.print_recipe) return recipe_report(recipe.in_force(flags->scheme.rules));
    return quantize(*flags, console);
  };
}

const Command kQuantizeCommand = {
    .name = "quantize",
    .summary = "Turns an FP32 ONNX vision model and a folder of images into an int8 model.",
    .example = "  quantize mobilenet.onnx --calib photos/   # writes mobilenet.qdq.onnx\n",
    .define = [](CLI::App& app) { return define_quantize(app, std::make_shared<QuantizeFlags>()); },
    .usual = " --calib PATH",
    .topic = "search",
    .topic_text = search_steps_text,
};

}  // namespace quantize
