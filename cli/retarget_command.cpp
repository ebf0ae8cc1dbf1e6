// quantize retarget: the default command with the scales that a model has, for another runtime.
#include "cli/retarget_command.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "cli/option_checks.h"
#include "cli/options.h"
#include "cli/quantize_command.h"

namespace quantize {

namespace {

CommandBody define(CLI::App& app) {
  const auto flags = std::make_shared<QuantizeFlags>();
  flags->known.keep = true;
  app.add_option("MODEL.onnx", flags->model, "a QDQ model")->required();
  output_file(app.add_option("-o,--output", flags->output, "default: MODEL.TARGET.onnx beside the model"));
  add_target_option(app, flags->target, "default: ort-x86 for qdq, native for int8");
  app.add_option("--format", flags->format, "qdq (default), or int8: integer operators")
      ->type_name("qdq|int8")
      ->check(one_of({"qdq", "int8"}));
  output_file(app.add_option("--plan", flags->plan, "writes every range, scale and reason as JSON"));
  add_input_shapes(app, flags->input_shapes);
  add_engine_options(app, flags->engine);
  return [flags](Console& console) {
    if (flags->output.empty() && !is_stream(flags->model))
      flags->output =
          std::filesystem::path(flags->model).replace_extension("." + target_of(*flags) + ".onnx").string();
    return quantize(*flags, console);
  };
}

}  // namespace

const Command kRetargetCommand = {
    .name = "retarget",
    .summary = "writes a QDQ model for another runtime, with the scales that it has and without images",
    .example = "  quantize retarget mobilenet.qdq.onnx --target ort-arm\n",
    .define = define,
    .is_minor = true,
};

}  // namespace quantize
