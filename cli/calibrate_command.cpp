// quantize calibrate: images to a statistics file, no model written.
#include "cli/calibrate_command.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "calibration/statistics/statistics_file.h"
#include "cli/console.h"
#include "cli/keep_unknown.h"
#include "cli/options.h"
#include "cli/samples.h"
#include "cli/shared_calibration.h"
#include "cli/text.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

struct CalibrateFlags {
  std::string model, output;
  SampleFlags samples;
  EngineOptions engine;
  InputShapes input_shapes;
  bool keep_unknown = false, resume = false;
};

Report report_of(const CalibrateFlags& flags, const StatisticsTable& table, const Samples& samples,
                 bool resumed, Console& console) {
  const Json json = {{"model", flags.model},
                     {"output", flags.output},
                     {"samples", table.samples},
                     {"skipped_images", samples.source.count() - table.samples},
                     {"preprocessing", preprocessing_json(samples.preprocessing)},
                     {"values", table.values.size()},
                     {"resumed", resumed}};
  return {json, console.style().bold(printable(flags.output)) + ": " +
                    format_plural(table.samples, "sample") + ", " +
                    format_plural(table.values.size(), "value") + (resumed ? ", finished before" : "") +
                    "\n  images         " + preprocessing_text(samples.preprocessing) + "\n"};
}

Report calibrate(const CalibrateFlags& flags, Console& console) {
  claim_output("-o", flags.output, {flags.model}, console);
  Graph source = load_model(flags.model, flags.input_shapes, flags.engine, console.diagnostics);
  check_is_float(source);
  cut_before_unknown(flags.model, source, flags.keep_unknown, flags.samples.paths, console.diagnostics);
  const Graph graph =
      with_context([&] { return flags.model; }, [&] { return open_model(source, kMinOutputOpset); });
  check_memory(graph, flags.engine.thread_count(), flags.engine);
  Samples samples = open_samples(flags.samples, source, flags.engine, console);
  if (flags.resume) {
    std::string reason;
    const std::optional<StatisticsTable> finished =
        finished_part(flags.output, fingerprint(graph), samples.source, samples.source.whole(), reason);
    if (finished) return report_of(flags, *finished, samples, true, console);
    if (!reason.empty()) console.explain("'" + flags.output + "' is made again: " + reason);
  }
  console.explain(flags.model + ": " + format_plural(source.nodes.size(), "node") + ", prepared " +
                  std::to_string(graph.nodes.size()));
  console.explain("images: " + preprocessing_text(samples.preprocessing));
  StatisticsTable table = calibrate(graph, samples.source, flags.engine, console);
  if (samples.preprocessing) table.preprocessing_origin = origin_json(*samples.preprocessing);
  warn_of_constants(source, table, console.diagnostics);
  save_statistics(table, flags.output);
  return report_of(flags, table, samples, false, console);
}

CommandBody define(CLI::App& app) {
  const auto flags = std::make_shared<CalibrateFlags>();
  app.add_option("MODEL.onnx", flags->model, "the FP32 model")->required();
  output_file(app.add_option("-o,--output", flags->output, "the statistics"))->required();
  add_sample_options(app, flags->samples, true);
  app.add_flag("--resume", flags->resume,
               "leaves the file of -o as it is if it has the statistics of just these samples")
      ->group("Samples");
  add_keep_unknown(app, flags->keep_unknown);
  add_input_shapes(app, flags->input_shapes);
  add_engine_options(app, flags->engine);
  return [flags](Console& console) {
    flags->samples.is_part = !flags->samples.shard.empty();
    return calibrate(*flags, console);
  };
}

}  // namespace

const Command kCalibrateCommand = {
    .name = "calibrate",
    .summary = "images to a statistics file, which serves every method",
    .example = "  quantize calibrate mobilenet.onnx --calib photos/ --shard 0/2 -o part0.stats\n",
    .define = define,
};

}  // namespace quantize
