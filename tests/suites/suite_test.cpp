// Every graph of the suite on every runtime of the program: the operators' reference code, the engine on reals, the QDQ
// graph and the graph of integer operators of each target. tests/conformance/suite_in_onnxruntime.py adds ONNX Runtime.
#include <catch2/catch.hpp>

#include "core/integer/lowering.h"
#include "core/passes/passes.h"
#include "tests/suites/graphs.h"
#include "tests/support/check_engine.h"

namespace quantize::test {

namespace {

constexpr double kReals = 1e-4;    // of an output's range: what the engine may lose on reals
constexpr double kCodes = 0.25;    // ... and what eight bits may, with the ranges of one run
constexpr double kAllCodes = 0.4;  // ... where every result of a layer is rounded, that of attention, too

/// True if the target has layers that return codes, which make integer operators in files.
bool has_layers_of_codes(const TargetProfile& target) {
  return std::all_of(target.operators.begin(), target.operators.end(), [](const IntegerOperator& each) {
    return std::string(each.op_type) != "Conv" || each.output == OutputForm::kCodes;
  });
}

void check_near(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected, double tolerance) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    INFO("output " << i);
    CHECK(relative_difference(actual[i], expected[i]) <= tolerance);
  }
}

}  // namespace

TEST_CASE("suite: the engine computes on reals what the reference does, prepared or not", "[suite]") {
  for (const SuiteGraph& entry : suite_graphs()) {
    const Graph graph = entry.build();
    const std::vector<Tensor> inputs = random_inputs(graph, kSuiteInputs);
    const std::vector<Tensor> expected = reference_outputs(graph, inputs);
    for (Isa isa : supported_isas()) {
      INFO(entry.name << ", " << name_of(isa));
      check_near(Engine(graph, {.kernels = &kernels_for(isa)}).run(inputs), expected, kReals);
    }
    INFO(entry.name << ", prepared");
    check_near(run_graph(open_model(graph), inputs), expected, kReals);
  }
}

TEST_CASE("suite: quantized for each target, the engine computes what the reference does", "[suite]") {
  for (const SuiteGraph& entry : suite_graphs())
    for (const TargetProfile* target : all_targets()) {
      INFO(entry.name << ", " << target->name);
      const Graph source = open_model(entry.build());
      const std::vector<Tensor> inputs = random_inputs(source, kSuiteInputs);
      const std::vector<Tensor> reals = reference_outputs(source, inputs);
      const Graph qdq = quantized_graph(source, target->name);
      const Graph int8 = lower_to_qoperator(qdq, {}, Runtime::kAny);
      const double most = target->rounds_results ? kAllCodes : kCodes;
      check_near(reference_outputs(qdq, inputs), reals, most);
      check_near(reference_outputs(int8, inputs), reals, most);
      check_near(run_graph(qdq, inputs), reals, most);
      // The engine takes in what files leave in float for others.
      const std::vector<Tensor> expected = reference_outputs(lower_to_qoperator(int8), inputs);
      for (Isa isa : supported_isas()) {
        INFO("int8, " << name_of(isa));
        check_near(Engine(int8, {.kernels = &kernels_for(isa), .threads = 3}).run(inputs), expected, kReals);
      }
    }
}

TEST_CASE("suite: some of each graph becomes integer on each target", "[suite]") {
  for (const SuiteGraph& entry : suite_graphs())
    for (const TargetProfile* target : all_targets()) {
      INFO(entry.name << ", " << target->name);
      const Graph qdq = quantized_graph(open_model(entry.build()), target->name);
      CHECK(count_nodes(qdq, "QuantizeLinear") > 0);
      if (!has_layers_of_codes(*target)) continue;
      const Graph int8 = lower_to_qoperator(qdq, {}, Runtime::kAny);
      CHECK(std::any_of(int8.nodes.begin(), int8.nodes.end(),
                        [](const Node& node) { return is_integer_operator(node); }));
    }
}

}  // namespace quantize::test
