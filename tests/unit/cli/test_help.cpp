#include <catch2/catch.hpp>

#include <CLI/CLI.hpp>

#include "cli/help.h"

using namespace quantize;

namespace {

CommandBody no_body(CLI::App&) {
  return {};
}

const Command kCommands[] = {{"quantize", "Makes a thing.", "  quantize a.onnx\n", no_body},
                             {"look", "looks at a thing", "  quantize look a.onnx\n", no_body}};

}  // namespace

TEST_CASE("Help shows main options with their meaning and the others by name") {
  CLI::App app;
  app.set_help_flag();
  std::string text;
  app.add_option("MODEL.onnx", text, "the model")->group(kMainOptions);
  app.add_option("-o,--output", text, "where to")->type_name("FILE")->group(kMainOptions);
  app.add_option("--rare", text, "seldom used")->type_name("N")->group("Other");
  const std::string first = help_text(app, kCommands[0], kCommands, false);
  CHECK(first ==
        "Makes a thing.\n  quantize a.onnx\nUsage: quantize MODEL.onnx [options; --help-all lists all]\n"
        "  MODEL.onnx              the model\n"
        "  -o, --output FILE       where to\n"
        "More: --rare\n"
        "Commands, each with its own --help:\n"
        "  look        looks at a thing\n");
  const std::string all = help_text(app, kCommands[1], kCommands, true);
  CHECK(all ==
        "looks at a thing\n  quantize look a.onnx\nUsage: quantize look MODEL.onnx [options; --help-all "
        "lists all]\n"
        "  MODEL.onnx              the model\n"
        "  -o, --output FILE       where to\n"
        "\nOther:\n"
        "  --rare N                seldom used\n");
}
