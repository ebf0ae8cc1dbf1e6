// Bodies of control flow, read and written: what they capture, and names.
#include <set>

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

}  // namespace

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
  for (int depth = 0; depth < 20; ++depth) {
    onnx::ModelProto outer = choice_model();
    auto& branch = *outer.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g();
    onnx::NodeProto inner = model.graph().node(0);
    inner.set_output(0, "result");
    *branch.mutable_node(0) = inner;
    model = outer;
  }
  CHECK_THROWS_WITH(load(model), Contains("nested too deeply"));
}
