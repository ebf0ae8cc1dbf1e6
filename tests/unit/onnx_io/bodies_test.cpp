// Bodies of control flow, read and written: what they capture, and names.
#include <set>

#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"
#include "tests/unit/onnx_io/model_files.h"

using namespace quantize;
using namespace quantize::test;
using Catch::Matchers::Contains;

namespace {

/// y = If (c) {Add (a, t)} else {Relu (t)}, where t is computed and a a constant of the graph around.
onnx::ModelProto choice_model() {
  onnx::ModelProto model = empty_model();
  auto& condition = *model.mutable_graph()->add_input();
  set_type(condition, "c", {});
  condition.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::BOOL);
  add_initializer(model, "a", onnx::TensorProto::FLOAT, {1}).add_float_data(2);
  onnx::NodeProto& node = add_node(model, "If", {"c"}, {"y"});
  for (const char* key : {"then_branch", "else_branch"}) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(key);
    attribute.set_type(onnx::AttributeProto::GRAPH);
    onnx::GraphProto& branch = *attribute.mutable_g();
    branch.set_name(key);
    onnx::NodeProto& inner = *branch.add_node();
    const bool adds = attribute.name() == "then_branch";
    inner.set_op_type(adds ? "Add" : "Relu");
    if (adds) inner.add_input("a");
    inner.add_input("t");
    inner.add_output("result");
    set_type(*branch.add_output(), "result", {1, 4});
  }
  add_node(model, "Neg", {"x"}, {"t"});  // behind its reader: files may have nodes in any order
  return model;
}

/// A Scan of opset 8: state [2, 2], x [2, 3, 2], of two batches; every step adds x and a constant of the graph around, and
/// shows the state.
onnx::ModelProto batched_scan_model() {
  onnx::ModelProto model = empty_model();
  model.mutable_opset_import(0)->set_version(8);
  model.mutable_graph()->clear_input();
  model.mutable_graph()->clear_output();
  set_type(*model.mutable_graph()->add_input(), "state", {2, 2});
  set_type(*model.mutable_graph()->add_input(), "x", {2, 3, 2});
  for (const char* name : {"last", "shown"}) model.mutable_graph()->add_output()->set_name(name);
  add_initializer(model, "a", onnx::TensorProto::FLOAT, {1}).add_float_data(10);
  onnx::NodeProto& node = add_node(model, "Scan", {"", "state", "x"}, {"last", "shown"});
  onnx::AttributeProto& count = *node.add_attribute();
  count.set_name("num_scan_inputs");
  count.set_type(onnx::AttributeProto::INT);
  count.set_i(1);
  onnx::AttributeProto& directions = *node.add_attribute();
  directions.set_name("directions");
  directions.set_type(onnx::AttributeProto::INTS);
  directions.add_ints(1);
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name("body");
  attribute.set_type(onnx::AttributeProto::GRAPH);
  onnx::GraphProto& body = *attribute.mutable_g();
  body.set_name("body");
  for (const char* name : {"s", "e"}) set_type(*body.add_input(), name, {2});
  for (const char* name : {"sum", "copy"}) set_type(*body.add_output(), name, {2});
  const std::vector<std::vector<std::string>> nodes = {
      {"Add", "s", "e", "first"}, {"Add", "first", "a", "sum"}, {"Identity", "sum", "", "copy"}};
  for (const auto& words : nodes) {
    onnx::NodeProto& inner = *body.add_node();
    inner.set_op_type(words[0]);
    for (size_t i = 1; i < 3; ++i)
      if (!words[i].empty()) inner.add_input(words[i]);
    inner.add_output(words[3]);
  }
  return model;
}

}  // namespace

TEST_CASE("bodies: a Scan of opset 8 runs for every batch", "[bodies]") {
  onnx::ModelProto model = batched_scan_model();
  const std::vector<Tensor> inputs = {Tensor::of<float>({2, 2}, {0, 0, 100, 200}),
                                      Tensor::of<float>({2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})};
  const Tensor last = Tensor::of<float>({2, 2}, {39, 42, 157, 260}),
               shown = Tensor::of<float>({2, 3, 2}, {15, 16, 28, 30, 39, 42, 121, 222, 140, 242, 157, 260});
  const TemporaryFolder folder;
  const Graph graph = load(model);
  save_model(open_model(graph, kMinOutputOpset), folder.file("s.onnx"));
  for (const Graph& each : {open_model(graph), load_model(folder.file("s.onnx"))}) {
    const std::vector<Tensor> results = run_graph(each, inputs);
    CHECK(equal(results[0], last));
    CHECK(equal(results[1], shown));
  }
  model.mutable_graph()->mutable_node(0)->set_input(0, "a");
  CHECK_THROWS_WITH(load(model), Contains("lengths of sequences"));
}

TEST_CASE("bodies: captured values are the node's last inputs, and by name alone in the file", "[bodies]") {
  const TemporaryFolder folder;
  const Graph graph = load(choice_model());
  const Node& node = graph.nodes.back();
  REQUIRE(node.op_type == "If");
  CHECK(node.captures == 2);
  CHECK(graph.value(node.inputs[1]).name == "a");
  CHECK(graph.value(node.inputs[2]).name == "t");
  for (const char* key : {"then_branch", "else_branch"}) CHECK(node.body(key).inputs.size() == 2);

  save_model(graph, folder.file("b.onnx"));
  onnx::ModelProto written;
  REQUIRE(written.ParseFromString(read_text(folder.file("b.onnx"))));
  const onnx::NodeProto& last = written.graph().node(written.graph().node_size() - 1);
  CHECK(last.input_size() == 1);
  std::set<std::string> results;
  for (const auto& attribute : last.attribute()) {
    CHECK(attribute.g().input_size() == 0);
    CHECK(attribute.g().node(0).input(attribute.g().node(0).input_size() - 1) == "t");
    results.insert(attribute.g().output(0).name());
  }
  CHECK(results.count("y") == 0);
  const Graph again = load_model(folder.file("b.onnx"));
  CHECK(again.nodes.back().captures == 2);
}

TEST_CASE("bodies: a name of the graph around that a pass made since is not repeated inside", "[bodies]") {
  const TemporaryFolder folder;
  Graph graph = load(choice_model());
  graph.values[static_cast<size_t>(graph.nodes[0].outputs[0])].name =
      "result";  // as the branches call theirs
  save_model(graph, folder.file("b.onnx"));
  onnx::ModelProto written;
  REQUIRE(written.ParseFromString(read_text(folder.file("b.onnx"))));
  for (const auto& attribute : written.graph().node(1).attribute()) {
    const onnx::NodeProto& inner = attribute.g().node(0);
    CHECK(inner.input(inner.input_size() - 1) == "result");
    CHECK(inner.output(0) != "result");
    CHECK(inner.output(0) == attribute.g().output(0).name());
  }
}

TEST_CASE("bodies: what nobody computes is named with its node, and depth is bounded", "[bodies]") {
  onnx::ModelProto model = choice_model();
  model.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g()->mutable_node(0)->set_input(0,
                                                                                                        "z");
  CHECK_THROWS_WITH(load(model), Contains("nothing computes input 'z'") && Contains("then_branch"));
  model = choice_model();
  for (int depth = 1; depth <= 250; ++depth) {
    onnx::ModelProto outer = choice_model();
    auto& branch = *outer.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g();
    onnx::NodeProto inner = model.graph().node(0);
    inner.set_output(0, "result");
    *branch.mutable_node(0) = inner;
    model = outer;
    if (depth == 15) CHECK_NOTHROW(load(model));
    if (depth == 16 || depth == 40 || depth == 150)
      CHECK_THROWS_WITH(load(model), Contains("nested more than 16 deep"));
  }
  CHECK_THROWS_WITH(load(model), Contains("is damaged, or has graphs nested more than 200 deep"));
}
