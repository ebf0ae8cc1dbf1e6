// quantize retarget: a model whose scales are known, its own or a file's, in the dialect of another runtime.
#include "cli/retarget_command.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "calibration/scales/scale_file.h"
#include "cli/console.h"
#include "cli/option_checks.h"
#include "cli/options.h"
#include "cli/quantize_report.h"
#include "cli/scheme_options.h"
#include "cli/text.h"
#include "core/integer/known_scales.h"
#include "core/integer/lowering.h"
#include "core/integer/model_facts.h"
#include "core/passes/passes.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/known_scales.h"
#include "core/quantization/plan_quantization.h"
#include "onnx_io/onnx_io.h"

namespace quantize {

namespace fs = std::filesystem;

namespace {

struct RetargetFlags {
  std::string model, output, target = "ort-x86", format = "qdq", scales;
  InputShapes input_shapes;
  EngineOptions engine;
};

std::string output_of(const RetargetFlags& flags) {
  if (!flags.output.empty()) return flags.output;
  return fs::path(flags.model).replace_extension("." + flags.target + ".onnx").string();
}

// The float model, and the scales by the names of its values.
struct Source {
  Graph graph;
  std::map<std::string, QuantParams> scales;
};

std::map<std::string, QuantParams> scales_in(const KnownScales& known) {
  std::map<std::string, QuantParams> scales;
  for (const auto* list : {&known.activations, &known.weights})
    for (const KnownScale& scale : *list) scales[scale.value] = scale.params;
  return scales;
}

Source read_source(const RetargetFlags& flags, Console& console) {
  Graph model = load_model(flags.model, flags.input_shapes, flags.engine, console.diagnostics);
  const bool is_float = quantization_facts(model).format == "float";
  if (is_float && flags.scales.empty())
    throw Error(
        ErrorKind::kInvalidArgument,
        "'" + flags.model + "' has no scales; give --import FILE, or calibrate it with the default command");
  Source source;
  if (!flags.scales.empty())
    source.scales = read_scales(flags.scales, model);
  else
    source.scales = scales_in(known_scales(model));
  source.graph = is_float ? std::move(model) : float_form(model);
  return source;
}

QuantizationScheme scheme_for(const TargetProfile& target) {
  SchemeFlags flags;
  flags.scheme.method = "max";  // of values without a scale, which stay float
  flags.bias_correction = "off";
  return make_scheme(flags, target);
}

void warn_of_missing(const std::vector<std::string>& missing, size_t known, Diagnostics& diagnostics) {
  constexpr size_t kMostNamed = 5;
  if (missing.empty()) return;
  std::vector<std::string> named(
      missing.begin(), missing.begin() + static_cast<ptrdiff_t>(std::min(missing.size(), kMostNamed)));
  diagnostics.warn(std::to_string(missing.size()) + " of " + format_plural(known, "scale") +
                   " belong to no activation and no weights of the prepared model, and are not used: " +
                   join(named, ", ") + (missing.size() > kMostNamed ? ", ..." : ""));
}

Report retarget(const RetargetFlags& flags, Console& console) {
  const TargetProfile& target = find_target(flags.target);
  std::vector<fs::path> inputs = {flags.model};
  if (!flags.scales.empty()) inputs.emplace_back(flags.scales);
  claim_output("-o", output_of(flags), inputs, console);
  const Source source = read_source(flags, console);
  const Graph graph = open_model(source.graph, target.opsets.lowest);
  QuantizationScheme scheme = scheme_for(target);
  const std::vector<std::string> missing = take_known_scales(graph, source.scales, scheme);
  if (missing.size() == source.scales.size())
    throw Error(ErrorKind::kInvalidArgument,
                "none of the " + std::to_string(missing.size()) + " scales belongs to a value of '" +
                    flags.model + "'; the first is of '" + (missing.empty() ? "" : missing[0]) +
                    "'; quantize inspect --names lists the values");
  warn_of_missing(missing, source.scales.size(), console.diagnostics);
  const PlannedModel planned = plan_quantization(graph, {}, scheme, target);
  for (const std::string& warning : planned.plan.warnings) console.diagnostics.warn(warning);
  Graph model = insert_qdq(planned);
  if (flags.format == "int8") model = lower_to_qoperator(std::move(model), {}, Runtime::kAny);
  model.info.metadata["quantize.version"] = QUANTIZE_VERSION;
  model.info.metadata["quantize.options"] =
      options_json(scheme, {{"format", flags.format}, {"target", flags.target}}).dump();
  const uint64_t bytes = save_model(model, output_of(flags));
  const PlanSummary summary = summarize(planned, scheme);
  const size_t taken = source.scales.size() - missing.size();
  const Json json = {{"model", flags.model},   {"output", output_of(flags)},
                     {"target", flags.target}, {"format", flags.format},
                     {"scales_taken", taken},  {"scales_left", missing.size()},
                     {"bytes_after", bytes},   {"int8_macs_percent", percent_of_macs(summary)}};
  return {json, "wrote     " + console.style().bold(printable(output_of(flags))) + ", " +
                    format_bytes(bytes) + ", for " + target.description + "\nscales    " +
                    format_plural(taken, "value") + " keep theirs\nin int8   " +
                    format_fixed(percent_of_macs(summary), 1) + " % of the multiplications\n"};
}

CommandBody define(CLI::App& app) {
  const auto flags = std::make_shared<RetargetFlags>();
  app.add_option("MODEL.onnx", flags->model, "a QDQ model, or with --import an FP32 model")->required();
  output_file(app.add_option("-o,--output", flags->output, "default: MODEL.TARGET.onnx beside the model"));
  add_target_option(app, flags->target, "default: ort-x86");
  app.add_option("--format", flags->format, "qdq (default), or int8: integer operators")
      ->type_name("qdq|int8")
      ->check(one_of({"qdq", "int8"}));
  app.add_option("--import", flags->scales, "scales from a file: " + scale_formats_text())->type_name("FILE");
  add_input_shapes(app, flags->input_shapes);
  add_engine_options(app, flags->engine);
  return [flags](Console& console) { return retarget(*flags, console); };
}

}  // namespace

const Command kRetargetCommand = {
    .name = "retarget",
    .summary = "writes a model with known scales in the dialect of another runtime, without images",
    .example = "  quantize retarget mobilenet.qdq.onnx --target ort-arm\n",
    .define = define,
};

}  // namespace quantize
