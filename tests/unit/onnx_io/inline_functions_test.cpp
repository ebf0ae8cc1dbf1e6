// Functions that a model defines, written out where they are called.
#include "onnx_io/inline_functions.h"

#include <algorithm>

#include "tests/unit/onnx_io/model_files.h"

using namespace quantize;
using namespace quantize::test;

namespace {

onnx::FunctionProto& add_function(onnx::ModelProto& model, const std::string& name) {
  if (model.opset_import_size() == 1) {
    onnx::OperatorSetIdProto& local = *model.add_opset_import();
    local.set_domain("local");
    local.set_version(1);
  }
  onnx::FunctionProto& function = *model.add_functions();
  function.set_domain("local");
  function.set_name(name);
  function.add_opset_import()->set_version(13);
  function.add_input("a");
  function.add_output("b");
  return function;
}

onnx::NodeProto& add_node(onnx::FunctionProto& function, const std::string& op_type, const std::string& input,
                          const std::string& output) {
  onnx::NodeProto& node = *function.add_node();
  node.set_op_type(op_type);
  node.add_input(input);
  node.add_output(output);
  return node;
}

/// y = f(f(x)), f of the function that `fill` makes.
template <typename Fill>
onnx::ModelProto calling(Fill fill) {
  onnx::ModelProto model = empty_model();
  fill(add_function(model, "f"));
  for (const auto& [input, output] : {std::pair("x", "z"), std::pair("z", "y")})
    test::add_node(model, "f", {input}, {output}).set_domain("local");
  return model;
}

void set_alpha(onnx::AttributeProto& attribute, float alpha) {
  attribute.set_name("alpha");
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(alpha);
}

/// The attribute "alpha" that takes the value of the call's attribute.
onnx::AttributeProto alpha_of_call(const std::string& name) {
  onnx::AttributeProto alpha;
  alpha.set_name("alpha");
  alpha.set_type(onnx::AttributeProto::FLOAT);
  alpha.set_ref_attr_name(name);
  return alpha;
}

/// A LeakyRelu whose alpha is that of the call.
void leaky(onnx::FunctionProto& function) {
  function.add_attribute("slope");
  *add_node(function, "LeakyRelu", "a", "b").add_attribute() = alpha_of_call("slope");
}

/// The one node of a new branch, whose output is the branch's.
onnx::NodeProto& add_branch(onnx::NodeProto& choice, const std::string& branch, const std::string& op_type) {
  onnx::AttributeProto& attribute = *choice.add_attribute();
  attribute.set_name(branch);
  attribute.set_type(onnx::AttributeProto::GRAPH);
  onnx::GraphProto& body = *attribute.mutable_g();
  set_type(*body.add_output(), op_type + " of " + branch, {1, 4});
  onnx::NodeProto& node = *body.add_node();
  node.set_op_type(op_type);
  node.add_output(op_type + " of " + branch);
  return node;
}

}  // namespace

TEST_CASE("a function stands where it is called, with values of its own", "[inline]") {
  const Graph graph = load(calling([](onnx::FunctionProto& function) {
    add_node(function, "Relu", "a", "inner");
    add_node(function, "Neg", "inner", "b");
  }));
  REQUIRE(graph.nodes.size() == 4);
  CHECK(graph.nodes[0].op_type == "Relu");
  CHECK(graph.nodes[3].op_type == "Neg");
  CHECK(graph.nodes[0].outputs[0] != graph.nodes[2].outputs[0]);
  CHECK(graph.info.opsets.count("local") == 0);
}

TEST_CASE("attributes of the call reach the function's nodes", "[inline]") {
  onnx::ModelProto model = calling(leaky);
  onnx::AttributeProto& slope = *model.mutable_graph()->mutable_node(0)->add_attribute();
  set_alpha(slope, 0.25f);
  slope.set_name("slope");
  const Graph graph = load(model);
  CHECK(graph.nodes[0].float_attribute("alpha", 0) == 0.25f);
  CHECK_FALSE(graph.nodes[1].has_attribute("alpha"));
}

TEST_CASE("a function returns what it is given, and calls others", "[inline]") {
  onnx::ModelProto model =
      calling([](onnx::FunctionProto& function) { add_node(function, "g", "a", "b").set_domain("local"); });
  onnx::FunctionProto& same = add_function(model, "g");
  same.set_output(0, "a");
  const Graph graph = load(model);
  REQUIRE(graph.nodes.size() == 2);
  CHECK(graph.nodes[0].op_type == "Identity");
  CHECK(graph.value(graph.nodes[1].outputs[0]).name == "y");
}

TEST_CASE("a function is called from bodies and has bodies, whose values are its own", "[inline]") {
  onnx::ModelProto model = empty_model();
  onnx::ValueInfoProto& flag = *model.mutable_graph()->add_input();
  set_type(flag, "flag", {});
  flag.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::BOOL);
  onnx::FunctionProto& function = add_function(model, "f");
  function.add_input("flag");
  add_node(function, "Relu", "a", "t");
  onnx::NodeProto& choice = add_node(function, "If", "flag", "b");
  for (const char* branch : {"then_branch", "else_branch"}) {
    onnx::NodeProto& leaky = add_branch(choice, branch, "LeakyRelu");
    leaky.add_input("t");  // captured
    *leaky.add_attribute() = alpha_of_call("slope");
  }
  onnx::NodeProto& outer = test::add_node(model, "If", {"flag"}, {"y"});
  for (const char* branch : {"then_branch", "else_branch"}) {
    onnx::NodeProto& call = add_branch(outer, branch, "f");
    call.set_domain("local");
    for (const char* input : {"x", "flag"}) call.add_input(input);
    set_alpha(*call.add_attribute(), 0.25f);
    call.mutable_attribute(0)->set_name("slope");
  }
  const Graph graph = load(model);
  REQUIRE(graph.nodes.size() == 1);
  for (const char* branch : {"then_branch", "else_branch"}) {
    const Graph& body = graph.nodes[0].body(branch);
    REQUIRE(body.nodes.size() == 2);
    CHECK(body.nodes[0].op_type == "Relu");
    const Graph& inner = body.nodes[1].body(branch);
    REQUIRE(inner.nodes.size() == 1);
    CHECK(inner.nodes[0].float_attribute("alpha", 0) == 0.25f);
    CHECK(body.nodes[1].inputs.back() == body.nodes[0].outputs[0]);
  }
}

TEST_CASE("of functions of one name, a node calls that of its overload", "[inline]") {
  onnx::ModelProto model =
      calling([](onnx::FunctionProto& function) { add_node(function, "Relu", "a", "b"); });
  onnx::FunctionProto& other = add_function(model, "f");
  add_node(other, "Neg", "a", "b");
  // FunctionProto.overload (13) and NodeProto.overload (8), which older messages do not know.
  REQUIRE(other.MergeFromString("\x6a\x05other"));
  REQUIRE(model.mutable_graph()->mutable_node(1)->MergeFromString("\x42\x05other"));
  const Graph graph = load(model);
  REQUIRE(graph.nodes.size() == 2);
  CHECK(graph.nodes[0].op_type == "Relu");
  CHECK(graph.nodes[1].op_type == "Neg");

  REQUIRE(model.mutable_graph()->mutable_node(0)->MergeFromString("\x42\x04none"));
  check_refused(model, ErrorKind::kInvalidModel, {"overload 'none'", "'f'", "does not define"});
}

TEST_CASE("functions that cannot be written out are refused", "[inline]") {
  check_refused(
      calling([](onnx::FunctionProto& function) { add_node(function, "f", "a", "b").set_domain("local"); }),
      ErrorKind::kUnsupported, {"'f'", "calls itself"});
  check_refused(calling([](onnx::FunctionProto& function) {
                  add_node(function, "f", "a", "c").set_domain("local");
                  add_node(function, "f", "c", "b").set_domain("local");
                }),
                ErrorKind::kUnsupported, {"'f'", "too many nodes"});
  onnx::ModelProto model = calling(leaky);
  model.mutable_functions(0)->mutable_opset_import(0)->set_version(14);
  check_refused(model, ErrorKind::kUnsupported, {"'f'", "opset 14", "13"});
  model = calling(leaky);
  model.mutable_graph()->mutable_node(0)->add_input("x");
  check_refused(model, ErrorKind::kInvalidModel, {"'f'", "more inputs"});
  model = calling(leaky);
  leaky(add_function(model, "f"));
  check_refused(model, ErrorKind::kUnsupported, {"'f'", "more than once"});
}
