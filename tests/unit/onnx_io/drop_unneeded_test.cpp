// Parts of a file that no output needs are not read, whatever they are.
#include <algorithm>
#include <functional>
#include <iterator>

#include "tests/unit/onnx_io/model_files.h"

using namespace quantize;
using namespace quantize::test;

namespace {

onnx::AttributeProto& add_attribute(onnx::NodeProto& node, const std::string& name,
                                    onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

using Change = std::function<void(onnx::ModelProto&)>;

using Cases = std::vector<std::pair<std::string, Change>>;

Cases unneeded_nodes() {
  return {
      {"an unknown operator",
       [](auto& model) { add_node(model, "Einsum", {"x"}, {"dead"}).add_output("more"); }},
      {"nodes behind each other",
       [](auto& model) {
         add_node(model, "LSTM", {"x"}, {"dead"});
         add_node(model, "Einsum", {"dead", "y"}, {"deader"});
       }},
      {"a foreign domain, imported in two versions",
       [](auto& model) {
         add_node(model, "Mystery", {"x"}, {"dead"}).set_domain("org.example");
         for (int version : {1, 99}) {
           auto& import = *model.add_opset_import();
           import.set_domain("org.example");
           import.set_version(version);
         }
       }},
      {"the engine's domain, not imported",
       [](auto& model) { add_node(model, "FusedConv", {"x"}, {"dead"}).set_domain("quantize"); }},
      {"a node without an operator", [](auto& model) { add_node(model, "", {"x"}, {"dead"}); }},
      {"a node without outputs", [](auto& model) { add_node(model, "Relu", {"x"}, {}); }},
      {"a node of what is not there", [](auto& model) { add_node(model, "Relu", {"nothing"}, {"dead"}); }},
      {"a cycle",
       [](auto& model) {
         add_node(model, "Relu", {"a"}, {"b"});
         add_node(model, "Relu", {"b"}, {"a"});
       }},
      {"one name made twice",
       [](auto& model) {
         for (int i = 0; i < 2; ++i) add_node(model, "Relu", {"x"}, {"dead"});
       }},
      {"a constant of strings",
       [](auto& model) {
         auto& node = add_node(model, "Constant", {}, {"dead"});
         add_attribute(node, "value", onnx::AttributeProto::TENSOR)
             .mutable_t()
             ->set_data_type(onnx::TensorProto::STRING);
       }},
      {"control flow",
       [](auto& model) {
         auto& node = add_node(model, "If", {"x"}, {"dead"});
         add_node(model, "SequenceAt", {"sequence", "x"}, {"deader"});
         add_attribute(node, "then_branch", onnx::AttributeProto::GRAPH).mutable_g();
       }},
      {"an attribute without a type",
       [](auto& model) { add_node(model, "Relu", {"x"}, {"dead"}).add_attribute()->set_name("a"); }},
  };
}

Cases unneeded_values() {
  return {
      {"shapes that do not fit",
       [](auto& model) {
         add_initializer(model, "w", onnx::TensorProto::FLOAT, {3, 5});
         add_node(model, "MatMul", {"x", "w"}, {"dead"});
       }},
      {"an initializer of strings",
       [](auto& model) { add_initializer(model, "dead", onnx::TensorProto::STRING, {2}); }},
      {"initializers of negative and huge shapes",
       [](auto& model) {
         add_initializer(model, "a", onnx::TensorProto::FLOAT, {-1});
         add_initializer(model, "b", onnx::TensorProto::FLOAT, {int64_t{1} << 40, int64_t{1} << 40});
         add_initializer(model, "b", onnx::TensorProto::UNDEFINED, {1});
         add_initializer(model, "", onnx::TensorProto::FLOAT, {1});
       }},
      {"an initializer in a file that is not there",
       [](auto& model) {
         auto& tensor = add_initializer(model, "dead", onnx::TensorProto::FLOAT, {4});
         tensor.set_data_location(onnx::TensorProto::EXTERNAL);
       }},
      {"a sparse initializer",
       [](auto& model) { model.mutable_graph()->add_sparse_initializer()->mutable_values()->set_name("s"); }},
      {"inputs that are no tensors",
       [](auto& model) {
         model.mutable_graph()->add_input()->set_name("sequence");
         model.mutable_graph()->mutable_input(1)->mutable_type()->mutable_sequence_type();
         model.mutable_graph()->add_input()->set_name("sequence");
       }},
      {"a function that nobody calls", [](auto& model) { model.add_functions()->set_name("f"); }},
      {"a description of what is gone",
       [](auto& model) {
         auto& info = *model.mutable_graph()->add_value_info();
         info.set_name("dead");
         info.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::STRING);
       }},
  };
}

}  // namespace

TEST_CASE("what no output needs stops nobody", "[load]") {
  Cases cases = unneeded_nodes();
  std::ranges::move(unneeded_values(), std::back_inserter(cases));
  for (const auto& [what, change] : cases) {
    INFO(what);
    onnx::ModelProto model = relu_model();
    change(model);
    const Graph graph = load(model);
    REQUIRE(graph.nodes.size() == 1);
    CHECK(graph.nodes[0].op_type == "Relu");
    CHECK(graph.values.size() == 2);
    CHECK(graph.inputs.size() == 1);
    CHECK(graph.info.opsets.size() == 1);
  }
}

TEST_CASE("inputs that no output depends on keep their names and places, and are no inputs of the graph",
          "[load]") {
  onnx::ModelProto model = empty_model();
  add_node(model, "Add", {"x", "z"}, {"y"});
  add_node(model, "Einsum", {"dead_end"}, {"dead"});
  model.mutable_graph()->clear_input();
  for (const char* name : {"first", "x", "constant", "dead_end", "z", "last", "last"})
    set_type(*model.mutable_graph()->add_input(), name, {1, 4});
  model.mutable_graph()->add_input()->set_name("without type");
  set_type(*model.mutable_graph()->add_input(), "", {1, 4});
  add_initializer(model, "constant", onnx::TensorProto::FLOAT, {1}).add_float_data(1);
  const Graph graph = load(model);
  CHECK(graph.inputs.size() == 2);
  std::vector<std::pair<std::string, size_t>> unread;
  for (const UnreadInput& input : graph.info.unread_inputs) unread.emplace_back(input.name, input.position);
  CHECK(unread == std::vector<std::pair<std::string, size_t>>{{"first", 0}, {"dead_end", 2}, {"last", 4}});
}

TEST_CASE("optional outputs that nobody reads are left out; pieces of a Split stay", "[load]") {
  onnx::ModelProto model = empty_model();
  add_node(model, "Dropout", {"x"}, {"a", "mask"});
  add_node(model, "Split", {"a"}, {"b", "c"});
  add_node(model, "Relu", {"b"}, {"y"});
  add_node(model, "Einsum", {"mask", "c"}, {"dead"});
  const Graph graph = load(model);
  REQUIRE(graph.nodes.size() == 3);
  CHECK(graph.nodes[0].outputs.size() == 1);
  CHECK(graph.nodes[1].outputs.size() == 2);
  set_type(*model.mutable_graph()->add_output(), "mask", {1, 4});
  CHECK(load(model).nodes[0].outputs.size() == 2);
}
