// Models with operators that are not known: cut, and put together again.
#include "core/passes/cut_unknown.h"

#include <catch2/catch.hpp>

#include "core/error.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using Catch::Matchers::Contains;
using test::GraphBuilder;

namespace {

std::vector<std::string> names(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> result;
  for (const ValueId id : ids) result.push_back(graph.value(id).name);
  return result;
}

std::vector<std::string> op_types(const Graph& graph) {
  std::vector<std::string> result;
  for (const Node& node : graph.nodes) result.push_back(node.op_type);
  return result;
}

/// x -> Conv -> Relu -> Magic (of another domain, with a second input of its own) -> Sqrt; Relu -> Neg.
Graph with_magic() {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8}), size = b.input("size", {1});
  const ValueId relu = b.node("Relu", {b.node("Conv", {x, b.random("w", {4, 3, 3, 3})})});
  const ValueId magic = b.node("Magic", {relu, size});
  const ValueId root = b.node("Sqrt", {magic}), negated = b.node("Neg", {relu});
  Graph graph = b.build({root, negated});
  for (Node& node : graph.nodes)
    if (node.op_type == "Magic") {
      node.domain = "acme.ai";
      node.name = "norm";
    }
  graph.info.opsets["acme.ai"] = 3;
  return graph;
}

}  // namespace

TEST_CASE("a model is cut before operators that are not known", "[cut_unknown]") {
  const Graph model = with_magic();
  const CutModel cut = cut_unknown(model);
  CHECK(op_types(cut.head) == std::vector<std::string>{"Conv", "Relu", "Neg"});
  CHECK(op_types(cut.tail) == std::vector<std::string>{"Magic", "Sqrt"});
  CHECK(names(cut.head, cut.head.inputs) == std::vector<std::string>{"x"});
  CHECK(cut.head.outputs.size() == 2);
  CHECK(cut.head.info.opsets.size() == 1);
  CHECK(cut.cause == "node 'norm' (Magic of domain 'acme.ai')");
}

TEST_CASE("a head that was prepared goes back before its tail", "[cut_unknown]") {
  const Graph model = with_magic();
  const CutModel cut = cut_unknown(model);
  Graph head = open_model(cut.head);
  head.add_value(model.value(model.outputs[0]).name);  // by chance the name of an output of the tail
  const Graph whole = rejoin(head, cut);
  CHECK(names(whole, whole.inputs) == names(model, model.inputs));
  CHECK(names(whole, whole.outputs) == names(model, model.outputs));
  CHECK(whole.info.opsets.at("acme.ai") == 3);
  REQUIRE(unknown_nodes(whole).size() == 1);
  const Node& magic = whole.nodes[static_cast<size_t>(unknown_nodes(whole)[0])];
  CHECK(names(whole, magic.inputs) == names(model, model.nodes[2].inputs));
}

TEST_CASE("what stands behind a value that is fed belongs to the head", "[cut_unknown]") {
  const Graph model = with_magic();
  const Node& magic = model.nodes[2];
  const std::string fed = model.value(magic.outputs[0]).name;
  CHECK(names(model, values_of_unknown(model)) ==
        std::vector<std::string>{fed, model.value(model.outputs[0]).name});
  const CutModel cut = cut_unknown(model, {fed, "no such value"});
  CHECK(op_types(cut.head) == std::vector<std::string>{"Conv", "Relu", "Sqrt", "Neg"});
  CHECK(op_types(cut.tail) == std::vector<std::string>{"Magic"});
  CHECK(cut.fed == std::vector<std::string>{fed});
  CHECK(names(cut.head, cut.head.inputs) == std::vector<std::string>{"x", fed});
  const Graph whole = rejoin(open_model(cut.head), cut);
  CHECK(names(whole, whole.inputs) == names(model, model.inputs));
  CHECK(names(whole, whole.outputs) == names(model, model.outputs));
  const Node& last = whole.nodes[static_cast<size_t>(GraphIndex(whole).producer(whole.outputs[0]))];
  CHECK(last.op_type == "Sqrt");
  CHECK(last.inputs[0] == whole.nodes[static_cast<size_t>(unknown_nodes(whole)[0])].outputs[0]);
}

TEST_CASE("a fed value may be an output of the model", "[cut_unknown]") {
  Graph model = with_magic();
  const ValueId fed = model.nodes[2].outputs[0];
  model.outputs.push_back(fed);
  const Graph whole =
      rejoin(cut_unknown(model, {model.value(fed).name}).head, cut_unknown(model, {model.value(fed).name}));
  CHECK(names(whole, whole.outputs) == names(model, model.outputs));
}

TEST_CASE("constants that the head computes become constants of the tail", "[cut_unknown]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4});
  const ValueId doubled = b.node("Add", {b.random("a", {4}), b.random("b", {4})});
  const ValueId magic = b.node("Magic", {b.node("Relu", {x}), doubled});
  Graph graph = b.build({magic});
  graph.nodes.back().domain = "acme.ai";
  graph.info.opsets["acme.ai"] = 1;
  const CutModel cut = cut_unknown(graph);
  CHECK(op_types(cut.head) == std::vector<std::string>{"Relu"});
  const Graph whole = rejoin(cut.head, cut);
  CHECK(whole.constant(whole.nodes.back().inputs[1]) != nullptr);
}

TEST_CASE("models that cannot be cut are refused", "[cut_unknown]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4});
  Graph first = b.build({b.node("Relu", {b.node("Magic", {x})})});
  first.nodes[0].domain = "acme.ai";
  first.info.opsets["acme.ai"] = 1;
  CHECK_THROWS_WITH(cut_unknown(first), Contains("nothing stands in front") && Contains("acme.ai"));
  Graph halves = with_magic();
  halves.info.widened_from = {DataType::kF16};
  CHECK_THROWS_WITH(cut_unknown(halves), Contains("f16"));
}
