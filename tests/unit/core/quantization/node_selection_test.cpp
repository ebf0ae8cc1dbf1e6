// Selectors against the nodes of a graph; what they do to a plan is in quantization_plan_test.cpp.
#include "core/quantization/node_selection.h"

#include <catch2/catch.hpp>

#include "core/error.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;
using Catch::Matchers::Contains;

namespace {

/// x -> Conv "Conv_3" -> Relu "relu" -> Conv "Conv_31", over its whole image, so that preparing makes it a
/// Gemm.
Graph network() {
  GraphBuilder b;
  const ValueId first = b.node("Conv", {b.input("x", {1, 2, 6, 6}), b.random("w", {3, 2, 3, 3})}, {});
  const ValueId relu = b.node("Relu", {first});
  const ValueId last = b.node("Conv", {relu, b.random("v", {4, 3, 4, 4})}, {});
  Graph graph = b.build({last});
  graph.nodes[0].name = "Conv_3";
  graph.nodes[1].name = "relu";
  graph.nodes[2].name = "Conv_31";
  return graph;
}

std::vector<Selector> resolve(QuantizationScheme& scheme) {
  const Graph source = network();
  return resolve_selectors(source, open_model(source, kMinOutputOpset), scheme);
}

std::string failure(QuantizationScheme scheme) {
  try {
    resolve(scheme);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kInvalidArgument);
    return error.what();
  }
  return "none";
}

QuantizationScheme scheme_with(std::vector<std::string> QuantizationScheme::*list,
                               std::vector<std::string> texts) {
  QuantizationScheme scheme;
  scheme.*list = std::move(texts);
  return scheme;
}

}  // namespace

TEST_CASE("A selector knows every node that it names", "[selection]") {
  QuantizationScheme scheme = scheme_with(&QuantizationScheme::exclude, {"Conv_3", "^relu$"});
  const std::vector<Selector> selectors = resolve(scheme);
  REQUIRE(selectors.size() == 2);
  CHECK(selectors[0].option == "--exclude");
  CHECK(selectors[0].nodes[0] == "Conv_3");
  CHECK(std::count(selectors[0].nodes.begin(), selectors[0].nodes.end(), "Conv_31") == 1);
  CHECK(selectors[1].nodes == std::vector<std::string>{"relu"});
}

TEST_CASE("An operator type is that of the source", "[selection]") {
  QuantizationScheme scheme = scheme_with(&QuantizationScheme::exclude_op_types, {"Conv"});
  const std::vector<Selector> selectors = resolve(scheme);
  CHECK(selectors.at(0).nodes == std::vector<std::string>{"Conv_3", "Conv_31"});
  Node gemm;
  gemm.op_type = "Gemm";
  gemm.name = "Conv_31";
  CHECK(source_op_type(scheme, gemm) == "Conv");
  CHECK(NodeSelection(scheme).reason(gemm) == "excluded by its operator type");
  CHECK_THAT(failure(scheme_with(&QuantizationScheme::op_types, {"Gemm"})),
             Contains("'Gemm' names no operator"));
}

TEST_CASE("What names nothing is refused with what is near", "[selection]") {
  CHECK_THAT(failure(scheme_with(&QuantizationScheme::include, {"Conv_3", "Convv_31"})),
             Contains("--include 'Convv_31'") && Contains("did you mean 'Conv_31'"));
  CHECK_THAT(failure(scheme_with(&QuantizationScheme::exclude, {"^$"})), Contains("there are 'Conv_3'"));
  CHECK_THAT(failure(scheme_with(&QuantizationScheme::exclude, {""})), Contains("is empty"));
  CHECK_THAT(failure(scheme_with(&QuantizationScheme::exclude, {"a("})), Contains("regular expression"));
  CHECK_THAT(failure(scheme_with(&QuantizationScheme::op_types, {"Cnov"})), Contains("did you mean 'Conv'"));
  QuantizationScheme scheme;
  scheme.overrides["y"] = {};
  CHECK_THAT(failure(scheme), Contains("'y'"));
  scheme.overrides = {{"x", {}}};
  CHECK(failure(scheme) == "none");
}

TEST_CASE("A name that would take a search's stack is refused", "[selection]") {
  const std::regex selector = compile_selector("--exclude", "(a|b)*c");
  CHECK(selects(selector, std::string(4095, 'a') + "c"));
  CHECK_FALSE(selects(selector, std::string(4096, 'a')));
  CHECK_THROWS_WITH(selects(selector, std::string(1 << 20, 'a')), Contains("has 1048576 characters"));
}
