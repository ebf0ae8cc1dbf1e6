#include "core/graph.h"

#include <catch2/catch.hpp>

#include "core/error.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;
using Catch::Contains;

namespace {

/// x -> Relu -> Relu -> out, with the nodes in this order.
Graph chain() {
  GraphBuilder b;
  const ValueId x = b.input("x", {2});
  return b.build({b.node("Relu", {b.node("Relu", {x})})});
}

}  // namespace

TEST_CASE("attributes give their value, a fallback, or an error for another type") {
  Node node;
  node.attributes = {
      {"i", int64_t{3}}, {"f", 0.5f}, {"s", std::string("text")}, {"is", std::vector<int64_t>{1, 2}}};
  CHECK(node.int_attribute("i", 0) == 3);
  CHECK(node.int_attribute("missing", 7) == 7);
  CHECK(node.float_attribute("f", 0) == 0.5f);
  CHECK(node.string_attribute("s", "") == "text");
  CHECK(node.ints_attribute("is", {}) == std::vector<int64_t>{1, 2});
  CHECK(node.floats_attribute("missing", {1.0f}) == std::vector<float>{1.0f});
  CHECK(node.tensor_attribute("missing") == nullptr);
  CHECK_THROWS_WITH(node.int_attribute("f", 0), Contains("'f'"));
  CHECK_THROWS_AS(node.tensor_attribute("i"), Error);
}

TEST_CASE("new values get names that nobody has") {
  Graph graph;
  CHECK(graph.value(graph.add_value("a")).name == "a");
  CHECK(graph.value(graph.add_value("a")).name == "a_1");
  CHECK(graph.value(graph.add_value("a")).name == "a_2");
  CHECK(graph.find_value("a_1") == 1);
  CHECK(graph.find_value("b") == kNoValue);
}

TEST_CASE("the opset of a node is that of its domain") {
  Graph graph;
  Node node;
  CHECK(graph.opset() == 0);
  CHECK(graph.opset_of(node) == 1);
  graph.info.opsets = {{"", 13}, {"com.microsoft", 2}};
  node.domain = "com.microsoft";
  CHECK(graph.opset() == 13);
  CHECK(graph.opset_of(node) == 2);
}

TEST_CASE("GraphIndex knows makers, readers and outputs") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2}), y = b.node("Relu", {x}), z = b.node("Add", {y, y});
  const Graph graph = b.build({z});
  const GraphIndex index(graph);
  CHECK(index.producer(x) == kNoNode);
  CHECK(index.producer(z) == 1);
  CHECK(index.uses(y).size() == 2);
  CHECK(index.single_use(x));
  CHECK_FALSE(index.single_use(y));
  CHECK_FALSE(index.single_use(z));
  CHECK(index.is_output(z));
}

TEST_CASE("validate accepts a sound graph and names what is wrong with others") {
  CHECK_NOTHROW(validate(chain()));
  Graph graph = chain();
  SECTION("no outputs") {
    graph.outputs.clear();
    CHECK_THROWS_WITH(validate(graph), Contains("no outputs"));
  }
  SECTION("two tensors of one name") {
    graph.values[1].name = "x";
    CHECK_THROWS_WITH(validate(graph), Contains("'x'"));
  }
  SECTION("a tensor without a name") {
    graph.values[1].name.clear();
    CHECK_THROWS_AS(validate(graph), Error);
  }
  SECTION("nodes in the wrong order") {
    std::swap(graph.nodes[0], graph.nodes[1]);
    CHECK_THROWS_WITH(validate(graph), Contains("relu_1") && Contains("relu_0_out"));
  }
  SECTION("a tensor computed twice") {
    graph.nodes[1].outputs = graph.nodes[0].outputs;
    CHECK_THROWS_WITH(validate(graph), Contains("twice"));
  }
  SECTION("a node that overwrites a constant") {
    graph.value(graph.nodes[1].outputs[0]).initializer = Tensor::scalar(1.0f);
    CHECK_THROWS_AS(validate(graph), Error);
  }
  SECTION("ids out of range") {
    graph.nodes[0].inputs[0] = 100;
    CHECK_THROWS_AS(validate(graph), Error);
    graph.nodes[0].inputs[0] = -7;
    CHECK_THROWS_AS(validate(graph), Error);
  }
  SECTION("an output that nothing computes") {
    graph.outputs.push_back(graph.add_value("free"));
    CHECK_THROWS_WITH(validate(graph), Contains("'free'"));
  }
  SECTION("an input listed twice") {
    graph.inputs.push_back(graph.inputs[0]);
    CHECK_THROWS_AS(validate(graph), Error);
  }
}

TEST_CASE("sort_topologically orders the nodes and keeps the order of those that are free") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2});
  const ValueId a = b.node("Relu", {x}), c = b.node("Neg", {x}), d = b.node("Add", {a, c});
  Graph graph = b.build({d});
  std::swap(graph.nodes[0], graph.nodes[2]);  // Add, Neg, Relu
  sort_topologically(graph);
  CHECK(graph.nodes[0].op_type == "Neg");
  CHECK(graph.nodes[1].op_type == "Relu");
  CHECK(graph.nodes[2].op_type == "Add");
  CHECK_NOTHROW(validate(graph));
}

TEST_CASE("a cycle is an error that names a node on or behind it") {
  Graph graph = chain();
  graph.nodes[0].inputs[0] = graph.nodes[1].outputs[0];
  CHECK_THROWS_WITH(sort_topologically(graph), Contains("cycle") && Contains("relu_"));
}

TEST_CASE("replace_uses changes readers and graph outputs") {
  Graph graph = chain();
  const ValueId x = graph.inputs[0], middle = graph.nodes[0].outputs[0], last = graph.outputs[0];
  replace_uses(graph, middle, x);
  replace_uses(graph, last, middle);
  CHECK(graph.nodes[1].inputs[0] == x);
  CHECK(graph.outputs[0] == middle);
}

TEST_CASE("describe names the node, or its output if it has no name") {
  Graph graph = chain();
  CHECK(describe(graph, graph.nodes[0]) == "node 'relu_0' (Relu, opset 13)");
  graph.nodes[0].name.clear();
  CHECK(describe(graph, graph.nodes[0]) == "node 'relu_0_out' (Relu, opset 13)");
}
