// quantize sensitivity: which layers the loss comes from.
#include "cli/sensitivity_command.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "calibration/search/choose_plan.h"
#include "calibration/statistics/decide_ranges.h"
#include "cli/console.h"
#include "cli/keep_unknown.h"
#include "cli/options.h"
#include "cli/quantize_report.h"
#include "cli/samples.h"
#include "cli/scheme_options.h"
#include "cli/text.h"
#include "core/passes/passes.h"
#include "core/quantization/check_scheme.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/plan_quantization.h"

namespace quantize {

namespace {

struct SensitivityFlags {
  std::string model, target = "ort-x86";
  SchemeFlags scheme;
  SampleFlags samples;
  EngineOptions engine;
  InputShapes input_shapes;
  bool keep_unknown = false;
};

// The result of the command.
struct Findings {
  const PlannedModel& planned;
  size_t samples;
  Quality all;  // all layers quantized
  std::vector<LayerSensitivity> layers;
};

Json json_of(const SensitivityFlags& flags, const Findings& found) {
  Json json = {{"model", flags.model},
               {"target", flags.target},
               {"samples", found.samples},
               {"all", quality_json(found.all)},
               {"layers", Json::array()}};
  for (const LayerSensitivity& layer : found.layers) {
    const auto n = static_cast<size_t>(layer.node);
    json["layers"].push_back({{"name", found.planned.graph.nodes[n].name},
                              {"op_type", found.planned.graph.nodes[n].op_type},
                              {"macs", found.planned.plan.nodes[n].macs},
                              {"alone", quality_json(layer.alone)},
                              {"without", quality_json(*layer.without)}});
  }
  return json;
}

std::optional<double> difference(const std::optional<double>& a, const std::optional<double>& b) {
  return a && b ? std::optional(*a - *b) : std::nullopt;
}

std::string text_of(const SensitivityFlags& flags, const Findings& found, const Style& style) {
  const std::optional<double> agreement = found.all.agreement();
  std::string text = style.bold(printable(flags.model)) + " for " + flags.target + ", judged on " +
                     format_plural(found.samples, "sample") + "\n  all layers in int8: SQNR " +
                     format_fixed(found.all.sqnr_db(), 1) + " dB" +
                     (agreement ? ", agreement " + format_fixed(*agreement, 1) + " %" : "") + "\n\n";
  Table table({{"layer, most harmful first"},
               {"op_type"},
               {"% of MACs", Table::Align::kRight},
               {"SQNR dB alone", Table::Align::kRight},
               {"dB gained without", Table::Align::kRight}});
  const auto macs = static_cast<double>(std::max<uint64_t>(summarize(found.planned).macs, 1));
  std::vector<LayerSensitivity> layers = found.layers;
  std::stable_sort(layers.begin(), layers.end(), [](const LayerSensitivity& a, const LayerSensitivity& b) {
    return a.alone.sqnr_db() < b.alone.sqnr_db();
  });
  for (const LayerSensitivity& layer : layers) {
    const auto n = static_cast<size_t>(layer.node);
    table.add({found.planned.graph.nodes[n].name, found.planned.graph.nodes[n].op_type,
               format_fixed(100 * static_cast<double>(found.planned.plan.nodes[n].macs) / macs, 1),
               format_fixed(layer.alone.sqnr_db(), 1),
               format_fixed(difference(layer.without->sqnr_db(), found.all.sqnr_db()), 2)});
  }
  return text + table.text(style) +
         "\n  alone: this layer in int8, all others in float; without: this one in float, all others in "
         "int8\n";
}

void warn_of_unused(const SchemeFlags& flags, Diagnostics& diagnostics) {
  const auto unused = [&](const std::string& option) {
    diagnostics.warn(option +
                     " has no effect: layers are judged with the nearest codes, biases corrected in closed "
                     "form at most and channels as they are; leave it out");
  };
  if (flags.weight_rounding == "fitted") unused("--weight-rounding fitted");
  if (flags.bias_correction == "on") unused("--bias-correction on");
  if (flags.equalize == "on") unused("--equalize on");
}

Report sensitivity(const SensitivityFlags& flags, Console& console) {
  const TargetProfile& target = find_target(flags.target);
  QuantizationScheme scheme = make_scheme(flags.scheme, target);
  warn_of_unused(flags.scheme, console.diagnostics);
  scheme.method = method_untried(scheme);
  Graph source = load_model(flags.model, flags.input_shapes, flags.engine, console.diagnostics);
  check_is_float(source);
  cut_before_unknown(flags.model, source, flags.keep_unknown, flags.samples.paths, console.diagnostics);
  const Graph graph =
      with_context([&] { return flags.model; }, [&] { return open_model(source, target.opsets.lowest); });
  check_memory(graph, flags.engine.thread_count(), flags.engine);
  console.explain(flags.model + ": " + format_plural(source.nodes.size(), "node") + ", prepared " +
                  std::to_string(graph.nodes.size()));
  for (const Selector& selector : resolve_selectors(source, graph, scheme))
    console.explain(selector_text(selector));
  check_scheme(graph, scheme, target);
  Samples samples = open_samples(flags.samples, source, flags.engine, console);
  console.explain("images: " + preprocessing_text(samples.preprocessing));
  const StatisticsTable statistics = calibrate(graph, samples.source, flags.engine, console);
  warn_of_constants(source, statistics, console.diagnostics);
  const RangeTable ranges = decide_ranges(statistics, scheme, flags.engine.thread_count());
  const Planner planner = [&](const std::set<std::string>& float_nodes) {
    scheme.float_nodes = float_nodes;
    return plan_quantization(graph, ranges, scheme, target);
  };

  const SampleSet set = sample_set(samples.source, source);
  std::vector<size_t> judged;
  constexpr size_t kMost = 64;
  for (size_t i = 0, n = std::min(kMost, set.count); i < n; ++i) judged.push_back(i * set.count / n);
  CalibrateOptions options;
  options.threads = flags.engine.thread_count();
  options.kernels = &flags.engine.kernels();
  const Validator validator(graph, judged, set, options);
  const PlannedModel planned = planner({});
  Findings found{planned, validator.samples(), validator.judge(insert_qdq(planned)), {}};
  console.explain("ranges by " + scheme.method + " from " + format_plural(statistics.samples, "sample") +
                  ", judged on " + format_plural(validator.samples(), "sample"));
  size_t layers = 0;
  for (const PlannedNode& node : planned.plan.nodes) layers += node.weights.has_value();
  Progress progress = console.progress("layers");
  found.layers = measure_sensitivity(planned, planner, validator, true,
                                     [&](size_t done) { progress.update(done, layers); });
  return {json_of(flags, found), text_of(flags, found, console.style())};
}

CommandBody define(CLI::App& app) {
  const auto flags = std::make_shared<SensitivityFlags>();
  app.add_option("MODEL.onnx", flags->model, "the FP32 model")->required();
  add_sample_options(app, flags->samples, true);
  add_scheme_options(app, flags->scheme, kFallbackMethod);
  add_target_option(app, flags->target, "default: ort-x86");
  add_keep_unknown(app, flags->keep_unknown);
  add_input_shapes(app, flags->input_shapes);
  add_engine_options(app, flags->engine);
  return [flags](Console& console) { return sensitivity(*flags, console); };
}

}  // namespace

const Command kSensitivityCommand = {
    .name = "sensitivity",
    .summary = "which layers lose how much by being quantized; needs no labels",
    .example = "  quantize sensitivity mobilenet.onnx --calib photos/\n",
    .define = define,
    .is_minor = true,
};

}  // namespace quantize
