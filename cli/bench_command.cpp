// quantize bench: how fast models are, against each other and against the CPU.
#include "cli/bench_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>

#include "cli/bench_measure.h"
#include "cli/console.h"
#include "cli/max_memory.h"
#include "cli/option_checks.h"
#include "cli/options.h"
#include "cli/text.h"

namespace quantize {

namespace {

struct BenchOptions {
  std::vector<std::string> models;
  EngineOptions engine;
  InputShapes input_shapes;
  size_t rounds = 10;
  bool layers = false;
};

double gmacs_per_second(uint64_t macs, double ms) {
  return ms > 0 ? static_cast<double>(macs) / ms * 1e-6 : 0;
}

double frames_per_second(const ModelTime& model) {
  return model.median_ms > 0 ? 1000 * static_cast<double>(model.batch) / model.median_ms : 0;
}

/// The share of what the threads could do in registers alone.
double probe_share(const BenchResult& result, const ModelTime& model, int threads) {
  const double peak = (model.is_int8 ? result.peak_u8s8 : result.peak_f32) * threads;
  return peak > 0 ? gmacs_per_second(model.macs, model.median_ms) * 1e9 / peak : 0;
}

Json layers_json(const ModelTime& model) {
  Json layers = Json::array();
  for (const LayerTime& layer : model.layers)
    layers.push_back({{"name", layer.name},
                      {"op_type", layer.op_type},
                      {"shape", layer.shape},
                      {"kernel", layer.kernel},
                      {"macs", layer.macs},
                      {"median_ms", layer.median_ms},
                      {"gmacs_per_second", gmacs_per_second(layer.macs, layer.median_ms)}});
  return layers;
}

Json json_of(const BenchOptions& options, const BenchResult& result) {
  const int threads = options.engine.thread_count();
  Json json;
  json["median_ms"] = result.models.front().median_ms;
  json["threads"] = threads;
  json["isa"] = name_of(options.engine.kernels().isa);
  json["rounds"] = result.rounds;
  json["repeated_rounds"] = result.repeated_rounds;
  json["noisy_rounds"] = result.noisy_rounds;
  json["inferences"] = result.inferences;
  json["inferences_on_one_thread"] = threads == 1 ? result.inferences : result.alone;
  json["probe_gmacs_per_second"] = {{"f32", result.peak_f32 * 1e-9}, {"u8s8", result.peak_u8s8 * 1e-9}};
  json["models"] = Json::array();
  for (const ModelTime& model : result.models) {
    Json entry;
    entry["file"] = model.file;
    entry["median_ms"] = model.median_ms;
    entry["min_ms"] = model.min_ms;
    entry["p95_ms"] = model.p95_ms;
    entry["batch"] = model.batch;
    entry["frames_per_second"] = frames_per_second(model);
    entry["ratio"] = model.ratio;
    entry["ratio_quartiles"] = {model.ratio_low, model.ratio_high};
    entry["macs"] = model.macs;
    entry["gmacs_per_second"] = gmacs_per_second(model.macs, model.median_ms);
    entry["probe_share"] = probe_share(result, model, threads);
    entry["memory_mib"] = static_cast<double>(model.memory_bytes) / (1 << 20);
    entry["model_bytes"] = model.model_bytes ? Json(*model.model_bytes) : Json();
    entry["load_ms"] = model.load_ms;
    entry["first_ms"] = model.first_ms;
    if (options.layers) {
      entry["layers"] = layers_json(model);
      entry["slower_than_float"] = Json::array();
      for (const SlowerStep& step : slower_steps(result.models.front(), model))
        entry["slower_than_float"].push_back(
            {{"name", step.name}, {"int8_ms", step.int8_ms}, {"float_ms", step.float_ms}});
    }
    json["models"].push_back(std::move(entry));
  }
  return json;
}

std::string layers_text(const ModelTime& model, const Style& style) {
  double total = 0;
  for (const LayerTime& layer : model.layers) total += layer.median_ms;
  Table table({{"step"},
               {"operator"},
               {"output"},
               {"kernel"},
               {"ms", Table::Align::kRight},
               {"share", Table::Align::kRight},
               {"GMAC/s", Table::Align::kRight}});
  std::map<std::string, double> kinds;
  for (const LayerTime& layer : model.layers) {
    kinds[layer.kernel] += layer.median_ms;
    table.add({layer.name, layer.op_type, layer.shape, layer.kernel, format_figure(layer.median_ms, 4),
               format_fixed(100 * layer.median_ms / total, 1) + " %",
               layer.macs == 0 ? "" : format_figure(gmacs_per_second(layer.macs, layer.median_ms), 1)});
  }
  std::string text = "\n" + style.bold(printable(model.file)) + ", step by step\n" + table.text(style);
  std::vector<std::string> parts;
  parts.reserve(kinds.size());
  for (const auto& [kind, ms] : kinds) parts.push_back(kind + " " + format_fixed(100 * ms / total, 1) + " %");
  return text + "  in all " + format_figure(total, 3) +
         " ms, with a clock read behind every step: " + join(parts, ", ") + "\n";
}

// Where int8 does not pay, and the option that leaves those nodes in float.
std::string slower_text(const BenchResult& result, const ModelTime& model) {
  const std::vector<SlowerStep> slower = slower_steps(result.models.front(), model);
  if (slower.empty()) return "";
  constexpr size_t kMost = 5;
  std::string text = "  slower than in '" + printable(result.models.front().file) + "':", names;
  for (size_t i = 0; i < slower.size() && i < kMost; ++i) {
    text += (i == 0 ? " " : ", ") + printable(slower[i].name) + " (" + format_figure(slower[i].int8_ms, 4) +
            " ms, float " + format_figure(slower[i].float_ms, 4) + ")";
    names += (i == 0 ? "" : "|") + printable(slower[i].name);
  }
  if (slower.size() > kMost) text += " and " + std::to_string(slower.size() - kMost) + " more";
  return text + "; to leave them in float: --exclude '^(" + names + ")$'\n";
}

std::string text_of(const BenchOptions& options, const BenchResult& result, const Style& style) {
  const int threads = options.engine.thread_count();
  std::string text = format_plural(static_cast<size_t>(threads), "thread") + ", " +
                     name_of(options.engine.kernels().isa) + ", " + format_plural(result.rounds, "round") +
                     (result.repeated_rounds == 0
                          ? ""
                          : "; the best of " + std::to_string(result.rounds + result.repeated_rounds)) +
                     "; in registers a thread does " + format_fixed(result.peak_u8s8 * 1e-9, 0) +
                     " GMAC/s on u8 x s8 and " + format_fixed(result.peak_f32 * 1e-9, 0) + " on f32\n\n";
  Table table({{"model"},
               {"median ms", Table::Align::kRight},
               {"min", Table::Align::kRight},
               {"p95", Table::Align::kRight},
               {"ratio", Table::Align::kRight},
               {"quartiles"},
               {"frames/s", Table::Align::kRight},
               {"GMAC/s", Table::Align::kRight},
               {"of peak", Table::Align::kRight},
               {"memory", Table::Align::kRight}});
  for (const ModelTime& model : result.models)
    table.add({model.file, format_figure(model.median_ms, 3), format_figure(model.min_ms, 3),
               format_figure(model.p95_ms, 3), format_figure(model.ratio, 3),
               format_figure(model.ratio_low, 3) + " - " + format_figure(model.ratio_high, 3),
               format_figure(frames_per_second(model), 1),
               format_figure(gmacs_per_second(model.macs, model.median_ms), 1),
               format_figure(100 * probe_share(result, model, threads), 0) + " %",
               format_bytes(model.memory_bytes)});
  text += table.text(style);
  for (const ModelTime& model : result.models)
    if (!model.layers.empty()) text += layers_text(model, style) + slower_text(result, model);
  return text;
}

void warn(const BenchResult& result, Diagnostics& diagnostics) {
  if (result.noisy_rounds > result.rounds / 2)
    diagnostics.warn(
        format_plural(result.noisy_rounds, "round") +
        " ran while something else slowed the CPU down by more than 3 %; ratios hold, absolute times "
        "may not");
  if (result.alone > 0)
    diagnostics.warn(
        format_plural(result.alone, "inference") + " of " + std::to_string(result.inferences) +
        " ran on one thread, because other processes kept the others waiting; measure on an idle machine");
  for (const ModelTime& model : result.models)
    if (model.is_int8 && model.ratio > 1 && !result.models.front().is_int8)
      diagnostics.warn(
          "'" + model.file + "' is slower than '" + result.models.front().file +
          "'; --layers shows which steps take the time, and those marked float or convert are what to "
          "keep in float with --exclude");
}

Report bench(const BenchOptions& options, Console& console) {
  const BenchPlan plan{options.models,
                       options.input_shapes,
                       &options.engine.kernels(),
                       options.engine.thread_count(),
                       options.rounds,
                       options.layers,
                       max_memory(options.engine.max_memory)};
  const BenchResult result = measure(plan, console);
  warn(result, console.diagnostics);
  return {json_of(options, result), text_of(options, result, console.style())};
}

CommandBody define(CLI::App& app) {
  const auto options = std::make_shared<BenchOptions>();
  app.add_option("MODEL.onnx", options->models, "FP32, QDQ or int8; times are compared with the first")
      ->required()
      ->expected(1, -1);
  app.add_option("--rounds", options->rounds, "visits to each model; more rounds, narrower quartiles")
      ->type_name("N")
      ->check(whole_number(1, 100'000))
      ->capture_default_str();
  app.add_flag("--layers", options->layers, "the time of every step, and whether it is int8 or float");
  add_input_shapes(app, options->input_shapes);
  add_engine_options(app, options->engine);
  return [options](Console& console) { return bench(*options, console); };
}

}  // namespace

const Command kBenchCommand = {
    .name = "bench",
    .summary = "how fast: models in interleaved rounds, against each other and the CPU",
    .example = "  quantize bench mobilenet.onnx mobilenet.int8.onnx --layers\n",
    .define = define,
};

}  // namespace quantize
