// Older opsets rewritten: every change has a node of the old form, which must compute the same in the new
// one.
#include "core/passes/passes.h"
#include "tests/support/check_same.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Ints = std::vector<int64_t>;
using Attributes = std::map<std::string, Attribute>;

Graph upgraded(const Graph& graph, int64_t opset) {
  Graph result = graph;
  upgrade_opset(result, opset);
  CHECK(result.opset() == opset);
  REQUIRE_NOTHROW(validate(result));
  return result;
}

/// One node on x [2, 3, 4, 4], upgraded; returns the node of the new form.
Graph check_node(int64_t from, int64_t to, const std::string& op_type, const Attributes& attributes,
                 size_t outputs = 1) {
  GraphBuilder b(from);
  const Graph graph = b.build(b.nodes(op_type, {b.input("x", {2, 3, 4, 4})}, outputs, attributes));
  const Graph result = upgraded(graph, to);
  INFO(op_type << " from " << from << " to " << to);
  check_same(graph, result, 1e-6);
  return result;
}

void check_inputs(const Graph& graph, size_t count) {
  REQUIRE(graph.nodes.size() == 1);
  CHECK(graph.nodes[0].inputs.size() == count);
}

}  // namespace

TEST_CASE("attributes become inputs", "[upgrade]") {
  check_inputs(check_node(7, 13, "Clip", {{"min", -0.25f}, {"max", 0.5f}}), 3);
  check_inputs(check_node(10, 13, "Clip", {{"max", 0.5f}}), 3);
  check_inputs(check_node(9, 13, "Clip", {}), 1);
  check_inputs(
      check_node(7, 13, "Slice", {{"starts", Ints{1, 0}}, {"ends", Ints{3, -1}}, {"axes", Ints{1, 3}}}), 4);
  check_inputs(check_node(9, 13, "Slice", {{"starts", Ints{0, 1}}, {"ends", Ints{1, 1000}}}), 3);
  check_inputs(check_node(10, 13, "Pad", {{"pads", Ints{0, 0, 1, 2, 0, 0, 0, 1}}, {"value", 0.5f}}), 3);
  check_inputs(
      check_node(7, 13, "Pad", {{"pads", Ints{0, 0, 1, 1, 0, 0, 1, 1}}, {"mode", std::string("edge")}}), 2);
  check_inputs(check_node(11, 13, "Unsqueeze", {{"axes", Ints{0, 3}}}), 2);
  check_inputs(check_node(12, 13, "Split", {{"axis", int64_t{1}}, {"split", Ints{1, 2}}}, 2), 2);
  check_inputs(check_node(12, 13, "Split", {{"axis", int64_t{2}}}, 2), 1);
  check_inputs(check_node(7, 13, "Dropout", {{"ratio", 0.5f}}), 2);
}

TEST_CASE("Squeeze takes its axes as an input", "[upgrade]") {
  GraphBuilder b(7);
  const Graph graph = b.build({b.node("Squeeze", {b.input("x", {2, 1, 3, 1})}, {{"axes", Ints{1, 3}}})});
  const Graph result = upgraded(graph, 13);
  check_inputs(result, 2);
  check_same(graph, result, 0);
}

TEST_CASE("Split says how many parts it makes from opset 18 on", "[upgrade]") {
  const Graph result = check_node(11, 18, "Split", {{"axis", int64_t{2}}}, 2);
  CHECK(result.nodes[0].int_attribute("num_outputs", 0) == 2);
  const Graph uneven = check_node(11, 18, "Split", {{"axis", int64_t{2}}, {"split", Ints{1, 3}}}, 2);
  CHECK_FALSE(uneven.nodes[0].has_attribute("num_outputs"));
}

TEST_CASE("Softmax of before opset 13 flattens its input", "[upgrade]") {
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    for (const int64_t axis : {0, 1, 2, 3}) {
      INFO(op << " axis " << axis);
      const Graph result = check_node(11, 13, op, {{"axis", axis}});
      CHECK(result.nodes.size() == (axis == 3 ? 1 : 4));
    }
    CHECK(check_node(7, 13, op, {}).nodes.size() == 4);  // the default was axis 1
    CHECK(check_node(12, 13, op, {{"axis", int64_t{-1}}}).nodes.size() == 1);
    CHECK(check_node(13, 15, op, {{"axis", int64_t{1}}}).nodes.size() == 1);
  }
}

TEST_CASE("Softmax stays one node where only extents of 1 follow its axis", "[upgrade]") {
  GraphBuilder b(9);
  const Graph graph = b.build({b.node("Softmax", {b.input("x", {2, 5, 1, 1})})});
  const Graph result = upgraded(graph, 13);
  REQUIRE(result.nodes.size() == 1);
  CHECK(result.nodes[0].int_attribute("axis", -1) == 1);
  check_same(graph, result, 1e-6);
}

TEST_CASE("Softmax of an input with unknown extents", "[upgrade]") {
  GraphBuilder b(11);
  const Graph graph = b.build({b.node("Softmax", {b.input("x", {kUnknownDim, 3, kUnknownDim})})});
  const Graph result = upgraded(graph, 13);
  CHECK(result.nodes.size() == 4);
  check_same(graph, result, 1e-6);
}

TEST_CASE("BatchNormalization of before opset 9 and 14", "[upgrade]") {
  GraphBuilder b(7);
  const std::vector<ValueId> inputs = {b.input("x", {2, 3, 4, 4}), b.random("scale", {3}),
                                       b.random("bias", {3}), b.random("mean", {3}),
                                       b.random("var", {3}, 0.5f, 1.0f)};
  SECTION("per channel") {
    const Graph graph = b.build({b.node("BatchNormalization", inputs, {{"spatial", int64_t{1}}})});
    const Graph result = upgraded(graph, 13);
    CHECK_FALSE(result.nodes[0].has_attribute("spatial"));
    check_same(graph, result, 1e-6);
  }
  SECTION("per element") {
    Graph graph = b.build({b.node("BatchNormalization", inputs, {{"spatial", int64_t{0}}})});
    CHECK_THROWS_AS(upgrade_opset(graph, 13), Error);
  }
  SECTION("outputs that only training uses") {
    const auto outputs = b.nodes("BatchNormalization", inputs, 5);
    Graph graph = b.build({outputs[0]}), reading = b.build({outputs[0], outputs[1]});
    upgrade_opset(graph, 15);
    CHECK(graph.nodes[0].outputs.size() == 1);
    CHECK_THROWS_AS(upgrade_opset(reading, 15), Error);
  }
}

TEST_CASE("a model of the wanted opset, or a newer one, stays as it is", "[upgrade]") {
  for (const int64_t opset : {13, 17}) {
    GraphBuilder b(opset);
    Graph graph = b.build({b.node("Softmax", {b.input("x", {2, 3, 4})}, {{"axis", int64_t{1}}})});
    upgrade_opset(graph, 13);
    CHECK(graph.opset() == opset);
    CHECK(graph.nodes.size() == 1);
  }
}

TEST_CASE("operators of other domains are not touched", "[upgrade]") {
  GraphBuilder b(11);
  const ValueId y = b.node("Relu", {b.input("x", {2, 3})});
  Graph graph = b.build({b.node("Softmax", {y})});
  graph.nodes[1].domain = "com.example";
  graph.info.opsets["com.example"] = 1;
  const Error error = [&] {
    try {
      upgrade_opset(graph, 13);
    } catch (const Error& thrown) {
      return thrown;
    }
    return Error(ErrorKind::kInternal, "nothing was thrown");
  }();
  CHECK(error.kind() == ErrorKind::kUnsupported);  // by shape inference, which does not know it
  CHECK_FALSE(graph.nodes[1].has_attribute("axis"));
}
