// Every operator at every opset where it or its form changes: the examples run, and thousands of changed ones run or are
// refused. The same in every run.
#include <catch2/catch.hpp>
#include <filesystem>
#include <random>
#include <regex>
#include <set>

#include "core/error.h"
#include "core/ops/op_registry.h"
#include "core/passes/passes.h"
#include "tests/fuzz/attribute_names.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/operator_examples.h"
#include "tests/support/graph_builder.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// The outputs of an example.
std::vector<Tensor> run(const OpDef& def, int opset, const OperatorExample& example) {
  const std::vector<Operand> operands = operands_of(example);
  std::vector<Tensor> inputs;
  for (const Operand& operand : operands)
    if (operand.tensor && !operand.is_constant) inputs.push_back(operand.tensor);
  return run_graph(open_model(graph_of(def, opset, example, operands), kMinOutputOpset), inputs);
}

}  // namespace

TEST_CASE("every operator has an example that runs at each of its opsets", "[fuzz]") {
  for (const OpDef& def : all_ops()) {
    if (std::string_view(def.domain) == kEngineDomain) continue;
    for (const int opset : opsets_to_try(def))
      for (const OperatorExample& example : operator_examples(def, opset)) {
        INFO(def.domain << " " << def.op_type << " " << opset << ": " << example.inputs << " "
                        << example.attributes);
        std::vector<Tensor> outputs;
        CHECK_NOTHROW(outputs = run(def, opset, example));
        CHECK((!outputs.empty() && outputs[0]));
      }
  }
}

TEST_CASE("changed operators run or are refused", "[fuzz]") {
  const auto target = std::find_if(fuzz_targets().begin(), fuzz_targets().end(), [](const FuzzTarget& each) {
    return std::string_view(each.name) == "operators";
  });
  REQUIRE(target != fuzz_targets().end());
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::vector<uint8_t> bytes(4 + random() % 20);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    bytes[0] = static_cast<uint8_t>(i);  // each operator in turn
    try {
      run_fuzz_target(*target, bytes);
    } catch (const std::exception& error) {
      std::string text;
      for (const uint8_t byte : bytes) text += " " + std::to_string(byte);
      FAIL_CHECK(error.what() << " from bytes" << text);
    }
  }
}

TEST_CASE("every attribute that an operator reads is among those that are changed", "[fuzz]") {
  std::set<std::string> known;
  for (const AttributeName& name : kAttributeNames) known.insert(name.name);
  const std::regex pattern("_(attribute|operand)\\(\\s*(context, )?\"([A-Za-z_]+)\"");
  for (const auto& file :
       std::filesystem::directory_iterator(std::string(QUANTIZE_SOURCE_DIR) + "/core/ops")) {
    if (!file.is_regular_file()) continue;
    const std::string text = read_text(file.path().string());
    for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
      INFO(file.path().string());
      CHECK(known.count((*match)[3]) == 1);
    }
  }
}
