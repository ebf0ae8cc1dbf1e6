// Choosing samples and looping over them.
#include "cli/samples.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <filesystem>

#include "calibration/images/batches.h"
#include "calibration/images/preprocess_file.h"
#include "calibration/search/auto_preprocess.h"
#include "cli/labels.h"
#include "cli/option_checks.h"
#include "cli/text.h"
#include "core/integer/model_facts.h"
#include "core/passes/passes.h"
#include "onnx_io/onnx_io.h"

namespace quantize {

namespace {

std::string preset_list() {
  std::string names = "auto";
  for (const char* name : preset_names()) names += std::string(", ") + name;
  return names;
}

// "2/8" -> shard 2 of 8.
void parse_shard(const std::string& text, SampleOptions& options) {
  const char* const end = text.data() + text.size();
  const auto [middle, first_error] = std::from_chars(text.data(), end, options.shard);
  const bool separated = first_error == std::errc() && middle != end && *middle == '/';
  const char* const second = separated ? middle + 1 : end;
  const auto [last, second_error] = std::from_chars(second, end, options.shards);
  if (!separated || second_error != std::errc() || last != end || options.shard >= options.shards ||
      options.shards > kMaxShards)
    throw Error(ErrorKind::kInvalidArgument,
                "--shard '" + text + "' is not of the form I/N with I from 0 to N - 1, such as 0/4");
}

// Errors: Error(kInvalidArgument) for paths that fit no model, whatever its inputs are called.
void check_places(const SampleFlags& flags) {
  if (flags.paths.size() < 2) return;
  const std::string option =
      std::string(flags.path_option).substr(0, std::string(flags.path_option).find(','));
  for (const std::string& path : flags.paths)
    if (path.find('=') == std::string::npos)
      throw Error(ErrorKind::kInvalidArgument, option + " is given more than once, and '" + path +
                                                   "' does not say for which input: give NAME=" + path);
}

// Errors: Error(kInvalidArgument) if the paths are neither one nor one for each input of the model.
void set_paths(const SampleFlags& flags, const Graph& model, SampleOptions& options,
               Diagnostics& diagnostics) {
  std::vector<std::string> paths = flags.paths;
  drop_unread(paths, model, diagnostics);
  if (paths.empty())
    throw Error(ErrorKind::kInvalidArgument,
                "no samples are given for the model's input '" + model.value(model.inputs.at(0)).name + "'");
  for (const std::string& path : paths) {
    const ValueId id = named_input(model, path);
    if (id == kNoValue && paths.size() == 1) {
      options.path = path;
      return;
    }
    if (id == kNoValue)
      throw Error(ErrorKind::kInvalidArgument,
                  "'" + path + "' is one of several places of samples, but says no input: give '" +
                      model.value(model.inputs[0]).name + "=" + path + "'");
    const std::string& name = model.value(id).name;
    if (!options.by_input.try_emplace(name, path.substr(name.size() + 1)).second)
      throw Error(ErrorKind::kInvalidArgument,
                  "the input '" + name + "' is given twice; give one folder or file for each input");
  }
}

SampleOptions sample_options(const SampleFlags& flags, const Graph& model, Diagnostics& diagnostics) {
  SampleOptions options;
  set_paths(flags, model, options, diagnostics);
  options.samples = flags.samples;
  options.seed = flags.seed;
  options.first = flags.first;
  if (flags.seed && !flags.samples)
    throw Error(ErrorKind::kInvalidArgument,
                "--seed chooses at random as many samples as --samples says; give both");
  options.max_bad_images = flags.max_bad_images;
  options.kept_image_bytes = flags.kept_image_bytes;
  options.is_part = flags.is_part;
  options.batch = static_cast<size_t>(fixed_batch(model));
  if (!flags.shard.empty()) parse_shard(flags.shard, options);
  options.load_tensor_proto = load_tensor_proto;
  return options;
}

// Our own models say how they want their images, so that nothing has to be tried on the network.
PreprocessChoice decide_preprocess(const SampleFlags& flags, const Graph& model, const SampleList& list,
                                   GuessOptions options, const SampleLabels& labels) {
  if (flags.preprocess != "auto")
    return given_preprocess(flags.preprocess, image_inputs(sample_inputs(model), list));
  const bool described = model.info.metadata.contains(kPreprocessKey);
  if (!labels.empty()) options.label = [&](const std::string& sample) { return label_of(labels, sample); };
  return choose_preprocess(model, described ? model : open_model(model, kMinOutputOpset), list, options);
}

// Images become floats first, also for a model that takes 8-bit pixels (InputCodes turns them into these),
// and one at a time, also for a model of a fixed batch. Shapes behind the inputs are those of the file no
// more.
Graph for_single_images(const Graph& original, const SampleList& list) {
  Graph model = original;
  const std::vector<Value> inputs = sample_inputs(original);
  if (fixed_batch(original) > 1)
    for (const Node& node : model.nodes)
      for (const ValueId id : node.outputs)
        if (id != kNoValue) model.value(id).shape.reset();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = model.inputs[i];
    model.value(id).shape = inputs[i].shape;
    if (list.images[i] && dequantization_of(model, id)) model.value(id).dtype = DataType::kF32;
  }
  return model;
}

void warn_of_filling(size_t samples, int64_t batch, Diagnostics& diagnostics) {
  const auto rows = static_cast<size_t>(batch);
  if (samples % rows == 0) return;
  diagnostics.warn("the model takes batches of " + std::to_string(rows) + ": the last batch of " +
                   format_plural(samples, "sample") + " is filled up by repeating " +
                   std::to_string(rows - samples % rows) + " of its own, whose outputs do not count");
}

}  // namespace

void add_sample_options(CLI::App& app, SampleFlags& flags, bool path_required) {
  app.add_option(flags.path_option, flags.paths,
                 "folder or file: images, .npy .npz .pb tensors; or NAME=PATH per input")
      ->type_name("PATH")
      ->allow_extra_args(false)
      ->required(path_required);
  app.final_callback([&flags] { check_places(flags); });  // when a recipe has filled what is missing
  add_preprocess_options(app, flags);
  app.add_option("--shard", flags.shard, "the I-th of N equal parts of them, from 0")
      ->type_name("I/N")
      ->group("Samples");
}

void add_preprocess_options(CLI::App& app, SampleFlags& flags) {
  app.add_option("--preprocess", flags.preprocess, preset_list() + " or JSON file")->type_name("NAME|FILE");
  app.add_option("--samples", flags.samples,
                 flags.first ? "only the first N" : "only N, spread evenly over the sorted list")
      ->type_name("N")
      ->check(whole_number(1, 1'000'000'000))
      ->group("Samples");
  app.add_option("--seed", flags.seed, "these N at random, by a number from 0 on")
      ->type_name("SEED")
      ->check(whole_number(0, 1'000'000'000))
      ->group("Samples");
  app.add_option("--max-bad-images", flags.max_bad_images,
                 "images that may be unusable (default 1 %, at least 1)")
      ->type_name("N")
      ->check(whole_number(0, 1'000'000'000))
      ->group("Samples");
}

PreprocessChoice given_preprocess(const std::string& argument, const std::vector<ImageInput>& inputs) {
  PreprocessChoice choice = make_choice(load_preprocess(argument, inputs), inputs, argument);
  choice.evidence = {"--preprocess says so"};
  return choice;
}

ValueId named_input(const Graph& model, const std::string& argument) {
  for (const ValueId id : model.inputs)
    if (argument.starts_with(model.value(id).name + "=")) return id;
  if (argument.find('=') == std::string::npos || std::filesystem::exists(argument)) return kNoValue;
  std::vector<std::string> names;
  for (const ValueId id : model.inputs) names.push_back("'" + model.value(id).name + "'");
  throw Error(ErrorKind::kInvalidArgument,
              "'" + argument + "' names no input of the model; its inputs are " + join(names, ", "));
}

void drop_unread(std::vector<std::string>& arguments, const Graph& model, Diagnostics& diagnostics) {
  for (const UnreadInput& unread : model.info.unread_inputs)
    if (std::erase_if(arguments,
                      [&](const std::string& text) { return text.starts_with(unread.name + "="); }) != 0)
      diagnostics.warn("the input '" + unread.name + "' has no effect: no output depends on it");
}

std::vector<std::string> paths_in(const SampleFlags& flags) {
  std::vector<std::string> paths;
  for (const std::string& path : flags.paths) {
    paths.push_back(path);
    for (size_t at = path.find('='); at != std::string::npos; at = path.find('=', at + 1))
      paths.push_back(path.substr(at + 1));
  }
  return paths;
}

void warn_of_guess(const std::optional<PreprocessChoice>& choice, Diagnostics& diagnostics) {
  if (!choice) return;
  if (const auto warning = warning_of(*choice)) diagnostics.warn(*warning);
}

Json preprocessing_json(const std::optional<PreprocessChoice>& choice) {
  if (!choice) return nullptr;
  return {{"name", choice->name},
          {"given", choice->given},
          {"sure", choice->sure},
          {"evidence", choice->evidence},
          {"runner_up", choice->runner_up.empty() ? Json() : Json(choice->runner_up)},
          {"settings", Json::parse(settings_json(*choice))}};
}

std::string preprocessing_text(const std::optional<PreprocessChoice>& choice) {
  return choice ? printable(describe(*choice)) : "tensors, taken as they are";
}

Samples open_samples(const SampleFlags& flags, const Graph& original, const EngineOptions& engine,
                     Console& console, const SampleLabels& labels) {
  const SampleOptions options = sample_options(flags, original, console.diagnostics);
  SampleList list = list_samples(sample_inputs(original), options);
  for (const std::string& warning : list.warnings) console.diagnostics.warn(warning);
  warn_of_filling(list.samples.size(), fixed_batch(original), console.diagnostics);
  if (!list.has_images() && flags.preprocess != "auto")
    console.diagnostics.warn("--preprocess has no effect: '" + join(flags.paths, "', '") +
                             "' holds tensors, taken as they are");
  if (!list.has_images())
    return {SampleSource(sample_inputs(original), options, std::move(list), {}), std::nullopt};
  const Graph model = for_single_images(original, list);
  const std::vector<Value> inputs = sample_inputs(model);
  const PreprocessChoice choice = [&] {
    const Progress progress = console.progress("finding out how images are preprocessed");
    GuessOptions guess{engine.thread_count(), {&engine.kernels(), {}}, {}};
    guess.tensors = [&](const Sample& sample) { return load_tensors(inputs, options, list, sample); };
    return decide_preprocess(flags, model, list, std::move(guess), labels);
  }();
  warn_of_guess(choice, console.diagnostics);
  std::vector<InputPreprocess> preprocess;
  for (const ImageInput& input : image_inputs(inputs, list))
    preprocess.push_back({input.name, choice.of(input.name)});
  return {SampleSource(inputs, options, std::move(list), std::move(preprocess)), choice};
}

std::string places_text(const SampleFlags& flags, const Graph& model) {
  std::vector<std::string> paths = flags.paths, places;
  Diagnostics told;  // already
  drop_unread(paths, model, told);
  if (paths.size() < 2) return "--images FOLDER";
  for (const std::string& path : paths)
    places.push_back("--images " + model.value(named_input(model, path)).name + "=FOLDER");
  return join(places, " ");
}

void warn_of_bad_images(const SampleSource& source, Diagnostics& diagnostics) {
  constexpr size_t kNamed = 3;
  const std::vector<BadImage> bad = source.bad_images();
  if (bad.empty()) return;
  std::vector<std::string> named;
  for (const BadImage& each : bad)
    if (named.size() < kNamed) named.push_back("'" + each.name + "' (" + each.reason + ")");
  if (bad.size() > kNamed) named.push_back(std::to_string(bad.size() - kNamed) + " others");
  diagnostics.warn(std::to_string(bad.size()) + " of " +
                   format_plural(source.count(), source.fingerprint().empty() ? "sample" : "image") +
                   (bad.size() == 1 ? " was skipped: " : " were skipped: ") + join(named, "; "));
}

void warn_of_constants(const Graph& model, const StatisticsTable& statistics, Diagnostics& diagnostics) {
  for (std::string& doubt : doubts_about_constants(model, statistics)) diagnostics.warn(std::move(doubt));
}

StatisticsTable calibrate(const Graph& model, SampleSource& source, const EngineOptions& engine,
                          const CalibratedPart& part) {
  const Batches batches(source, fixed_batch(model));
  const auto batch = static_cast<size_t>(batches.batch());
  const size_t count = (part.range.end - part.range.begin + batch - 1) / batch;
  CalibrateOptions options;
  options.begin = part.range.begin / batch;
  options.is_part = part.is_part;
  options.threads = engine.thread_count();
  options.kernels = &engine.kernels();
  options.preprocessing = source.fingerprint();
  options.order = {source.first(), batch};
  options.overflowing = part.overflowing;
  options.progress = [&](size_t done) { part.progress(done, count); };
  const auto load = [&](size_t i) -> std::optional<std::vector<Tensor>> {
    std::optional<Batches::Batch> loaded = batches.load(i);
    if (!loaded) return std::nullopt;
    return std::move(loaded->inputs);
  };
  if (part.rejects) options.reject = [&](size_t i, const std::string& reason) { batches.reject(i, reason); };
  options.census = part.census;
  options.outputs = part.outputs;
  StatisticsTable table = calibrate(model, count, load, options);
  table.samples = part.range.end - part.range.begin;
  for (const BadImage& bad : source.bad_images())
    table.samples -= bad.sample >= part.range.begin && bad.sample < part.range.end;
  table.held = source.held(part.range);
  return table;
}

StatisticsTable calibrate(const Graph& model, SampleSource& source, const EngineOptions& engine,
                          Console& console, FloatOutputs* outputs) {
  Progress progress = console.progress("calibrating");
  SampleCensus census(fixed_batch(model), source.count());
  CalibratedPart whole{.range = source.whole(), .is_part = source.is_part(), .census = &census};
  whole.progress = [&](size_t done, size_t of) { progress.update(done, of); };
  whole.outputs = outputs;
  StatisticsTable table = calibrate(model, source, engine, whole);
  warn_of_bad_images(source, console.diagnostics);
  for (std::string& warning : census.warnings([&](size_t i) { return source.name(i); }))
    console.diagnostics.warn(std::move(warning));
  return table;
}

SampleSet sample_set(SampleSource& source, const Graph& model) {
  const Batches batches(source, fixed_batch(model));
  return {.count = batches.count(),
          .load = [batches](size_t i) -> std::optional<std::vector<Tensor>> {
            std::optional<Batches::Batch> batch = batches.load(i);
            if (!batch) return std::nullopt;
            return std::move(batch->inputs);
          },
          .reject = [batches](size_t i, const std::string& reason) { batches.reject(i, reason); },
          .batch = fixed_batch(model),
          .samples = source.count(),
          .source = &model};
}

}  // namespace quantize
