// quantize export: the scales of a quantized model, as a file of another tool.
#include "cli/export_command.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "calibration/scales/scale_file.h"
#include "cli/console.h"
#include "cli/option_checks.h"
#include "cli/options.h"
#include "cli/text.h"
#include "core/atomic_file.h"
#include "onnx_io/onnx_io.h"

namespace quantize {

namespace {

struct ExportFlags {
  std::string model, format, output;
};

Report export_scales(const ExportFlags& flags, Console& console) {
  claim_output("-o", flags.output, {flags.model}, console);
  const KnownScales scales = known_scales(load_model(flags.model, {}));
  if (scales.activations.empty() && scales.weights.empty())
    throw Error(ErrorKind::kInvalidArgument,
                "'" + flags.model + "' has no scales: it is a float model; quantize it first");
  AtomicFile file(flags.output);
  file.write(find_scale_format(flags.format).write(scales));
  file.commit();
  const Json json = {{"model", flags.model},
                     {"output", flags.output},
                     {"format", flags.format},
                     {"activations", scales.activations.size()},
                     {"weights", scales.weights.size()}};
  return {json, console.style().bold(printable(flags.output)) + ": scales of " +
                    format_plural(scales.activations.size(), "activation") + ", weights of " +
                    format_plural(scales.layers.size(), "layer") + "\n"};
}

CommandBody define(CLI::App& app) {
  const auto flags = std::make_shared<ExportFlags>();
  std::vector<std::string> names;
  for (const ScaleFormat* format : all_scale_formats()) names.push_back(format->name);
  app.add_option("MODEL.onnx", flags->model, "a quantized model")->required();
  app.add_option("--as", flags->format, "kind of file: " + scale_formats_text())
      ->type_name("NAME")
      ->check(one_of(names))
      ->required();
  output_file(app.add_option("-o,--output", flags->output, "the file of scales"))->required();
  return [flags](Console& console) { return export_scales(*flags, console); };
}

}  // namespace

const Command kExportCommand = {
    .name = "export",
    .summary = "writes the scales of a quantized model as a file of another tool",
    .example = "  quantize export mobilenet.qdq.onnx --as trt-cache -o calibration.cache\n",
    .define = define,
    .is_minor = true,
};

}  // namespace quantize
