// Models as load_model reads them: names, shapes, attributes, metadata; and those it refuses.
#include <algorithm>

#include "tests/unit/onnx_io/model_files.h"

using namespace quantize;
using namespace quantize::test;

TEST_CASE("a plain model becomes a graph", "[load]") {
  const Graph graph = load(relu_model());
  REQUIRE(graph.nodes.size() == 1);
  CHECK(graph.nodes[0].op_type == "Relu");
  CHECK(graph.nodes[0].name == "relu");
  CHECK(graph.opset() == 13);
  REQUIRE(graph.inputs.size() == 1);
  CHECK(graph.value(graph.inputs[0]).name == "x");
  CHECK(graph.value(graph.inputs[0]).shape == Shape{1, 4});
  CHECK(graph.value(graph.inputs[0]).dtype == DataType::kF32);
  CHECK(graph.value(graph.outputs[0]).name == "y");
}

TEST_CASE("symbolic, unknown and missing shapes", "[load]") {
  onnx::ModelProto model = relu_model();
  auto& dims =
      *model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  dims.mutable_dim(0)->set_dim_param("N");
  dims.add_dim();
  dims.add_dim()->set_dim_value(-1);
  model.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  const Graph graph = load(model);
  const Value& x = value_of(graph, "x");
  CHECK(x.shape == Shape{kUnknownDim, 4, kUnknownDim, kUnknownDim});
  CHECK(x.dim_names == std::vector<std::string>{"N", "", "", ""});
  CHECK_FALSE(value_of(graph, "y").shape.has_value());
  CHECK(value_of(graph, "y").dim_names.empty());
}

TEST_CASE("an initializer that is also listed as an input is a constant and no input", "[load]") {
  onnx::ModelProto model = empty_model();
  set_type(*model.mutable_graph()->add_input(), "w", {4});
  auto& weights = add_initializer(model, "w", onnx::TensorProto::FLOAT, {4});
  for (float value : {1.0f, 2.0f, 3.0f, 4.0f}) weights.add_float_data(value);
  add_node(model, "Add", {"x", "w"}, {"y"});
  const Graph graph = load(model);
  CHECK(graph.inputs.size() == 1);
  CHECK(value_of(graph, "w").initializer.to_vector<float>() == std::vector<float>{1, 2, 3, 4});
}

TEST_CASE("nodes are sorted, optional inputs and outputs are absent ones", "[load]") {
  onnx::ModelProto model = empty_model();
  add_node(model, "Relu", {"b"}, {"y"});
  add_node(model, "Clip", {"a", "", "a"}, {"b"});
  add_node(model, "Dropout", {"x"}, {"a", ""});
  const Graph graph = load(model);
  REQUIRE(graph.nodes.size() == 3);
  CHECK(graph.nodes[0].op_type == "Dropout");
  CHECK(graph.nodes[0].outputs[1] == kNoValue);
  CHECK(graph.nodes[1].op_type == "Clip");
  CHECK(graph.nodes[1].inputs ==
        std::vector<ValueId>{graph.find_value("a"), kNoValue, graph.find_value("a")});
  CHECK(graph.nodes[2].op_type == "Relu");
}

TEST_CASE("every kind of attribute", "[load]") {
  onnx::ModelProto model = relu_model();
  auto& node = *model.mutable_graph()->mutable_node(0);
  const auto add = [&](const char* name, onnx::AttributeProto::AttributeType type) -> onnx::AttributeProto& {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  };
  add("i", onnx::AttributeProto::INT).set_i(-7);
  add("f", onnx::AttributeProto::FLOAT).set_f(0.5f);
  add("s", onnx::AttributeProto::STRING).set_s("SAME");
  add("is", onnx::AttributeProto::INTS).add_ints(3);
  add("fs", onnx::AttributeProto::FLOATS).add_floats(1.5f);
  add("ss", onnx::AttributeProto::STRINGS).add_strings("a");
  auto& tensor = *add("t", onnx::AttributeProto::TENSOR).mutable_t();
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_int64_data(9);
  const Graph graph = load(model);
  const Node& read = graph.nodes[0];
  CHECK(read.int_attribute("i", 0) == -7);
  CHECK(read.float_attribute("f", 0) == 0.5f);
  CHECK(read.string_attribute("s", "") == "SAME");
  CHECK(read.ints_attribute("is", {}) == std::vector<int64_t>{3});
  CHECK(read.floats_attribute("fs", {}) == std::vector<float>{1.5f});
  CHECK(std::get<std::vector<std::string>>(read.attributes.at("ss")) == std::vector<std::string>{"a"});
  REQUIRE(read.tensor_attribute("t") != nullptr);
  CHECK(equal(*read.tensor_attribute("t"), Tensor::scalar<int64_t>(9)));
}

TEST_CASE("domains: ai.onnx is ONNX's own, others are kept", "[load]") {
  onnx::ModelProto model = empty_model();
  model.mutable_opset_import(0)->set_domain("ai.onnx");
  auto& import = *model.add_opset_import();
  import.set_domain("com.microsoft");
  import.set_version(1);
  add_node(model, "QLinearAdd", {"x", "x"}, {"a"}).set_domain("com.microsoft");
  add_node(model, "Relu", {"a"}, {"y"}).set_domain("ai.onnx");
  const Graph graph = load(model);
  CHECK(graph.opset() == 13);
  CHECK(graph.nodes[0].domain == "com.microsoft");
  CHECK(graph.nodes[1].domain.empty());
  model.mutable_graph()->mutable_node(0)->set_domain("unknown.domain");
  check_refused(model, ErrorKind::kInvalidModel, {"unknown.domain", "QLinearAdd"});
  // The engine's own operators trust what they are given.
  import.set_domain("quantize");
  model.mutable_graph()->mutable_node(0)->set_domain("quantize");
  check_refused(model, ErrorKind::kUnsupported, {"domain 'quantize'", "QLinearAdd"});
}

TEST_CASE("opsets and IR versions outside the range are refused", "[load]") {
  for (int64_t opset : {7, 28}) {
    onnx::ModelProto model = relu_model();
    model.mutable_opset_import(0)->set_version(opset);
    CHECK(load(model).opset() == opset);
  }
  for (int64_t opset : {6, 29}) {
    onnx::ModelProto model = relu_model();
    model.mutable_opset_import(0)->set_version(opset);
    check_refused(model, ErrorKind::kUnsupported, {"opset " + std::to_string(opset), "7 to 28"});
  }
  onnx::ModelProto model = relu_model();
  model.add_opset_import()->set_version(12);
  check_refused(model, ErrorKind::kInvalidModel, {"twice"});
  model.clear_opset_import();
  check_refused(model, ErrorKind::kInvalidModel, {"opset"});
  model = relu_model();
  model.set_ir_version(2);
  check_refused(model, ErrorKind::kUnsupported, {"IR version 2"});
  model.set_ir_version(11);
  CHECK(load(model).info.ir_version == 11);
}

TEST_CASE("what is not supported is one sentence that names the node and its operator", "[load]") {
  onnx::ModelProto model = relu_model();
  auto& attribute = *model.mutable_graph()->mutable_node(0)->add_attribute();
  attribute.set_name("body");
  const std::vector<std::pair<onnx::AttributeProto::AttributeType, std::string>> cases = {
      {onnx::AttributeProto::GRAPH, "subgraph"},
      {onnx::AttributeProto::GRAPHS, "subgraph"},
      {onnx::AttributeProto::SPARSE_TENSOR, "sparse"},
      {onnx::AttributeProto::TYPE_PROTO, "type"},
      {onnx::AttributeProto::TENSORS, "list of tensors"}};
  for (const auto& [type, word] : cases) {
    attribute.set_type(type);
    check_refused(model, ErrorKind::kUnsupported, {"'relu' (Relu, opset 13)", "'body'", word, "export"});
  }
  attribute.set_type(onnx::AttributeProto::TENSOR);
  attribute.mutable_t()->set_data_type(onnx::TensorProto::STRING);
  check_refused(model, ErrorKind::kUnsupported, {"'relu' (Relu, opset 13)", "'body'", "strings"});

  model = relu_model();
  model.mutable_graph()->add_sparse_initializer()->mutable_values()->set_name("sparse_w");
  model.mutable_graph()->mutable_node(0)->set_input(0, "sparse_w");
  check_refused(model, ErrorKind::kUnsupported, {"sparse_w"});
  model = relu_model();
  model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_sequence_type();
  check_refused(model, ErrorKind::kUnsupported, {"'x'", "sequences"});
}

TEST_CASE("graphs that break ONNX's rules are refused", "[load]") {
  onnx::ModelProto model = relu_model();
  SECTION("a node without an operator") {
    model.mutable_graph()->mutable_node(0)->clear_op_type();
    check_refused(model, ErrorKind::kInvalidModel, {"operator type", "'relu'"});
  }
  SECTION("a tensor computed twice") {
    add_node(model, "Relu", {"x"}, {"y"});
    check_refused(model, ErrorKind::kInvalidModel, {"'y'"});
  }
  SECTION("an input listed twice") {
    set_type(*model.mutable_graph()->add_input(), "x", {1});
    check_refused(model, ErrorKind::kInvalidModel, {"'x'"});
  }
  SECTION("an initializer given twice") {
    for (int i = 0; i < 2; ++i) add_initializer(model, "w", onnx::TensorProto::FLOAT, {0});
    model.mutable_graph()->mutable_node(0)->set_input(0, "w");
    check_refused(model, ErrorKind::kInvalidModel, {"'w'"});
  }
  SECTION("an initializer without a name") {
    add_initializer(model, "", onnx::TensorProto::FLOAT, {0});
    model.mutable_graph()->mutable_output(0)->set_name("");
    check_refused(model, ErrorKind::kInvalidModel, {"no name"});
  }
  SECTION("a missing initializer") {
    model.mutable_graph()->mutable_node(0)->set_input(0, "w");
    check_refused(model, ErrorKind::kInvalidModel, {"'w'", "'relu' (Relu, opset 13)"});
  }
}

TEST_CASE("graphs without what ONNX asks for, or with what it forbids, are refused", "[load]") {
  onnx::ModelProto model = relu_model();
  SECTION("a cycle") {
    add_node(model, "Add", {"x", "b"}, {"a"});
    add_node(model, "Relu", {"a"}, {"b"});
    model.mutable_graph()->mutable_node(0)->set_input(0, "b");
    check_refused(model, ErrorKind::kInvalidModel, {"cycle"});
  }
  SECTION("an output that nothing computes") {
    model.mutable_graph()->mutable_output(0)->set_name("z");
    check_refused(model, ErrorKind::kInvalidModel, {"'z'"});
  }
  SECTION("no outputs") {
    model.mutable_graph()->clear_output();
    check_refused(model, ErrorKind::kInvalidModel, {"no outputs"});
  }
  SECTION("no graph") {
    model.clear_graph();
    check_refused(model, ErrorKind::kInvalidModel, {"no ONNX model"});
  }
  SECTION("a negative extent") {
    model.mutable_graph()
        ->mutable_input(0)
        ->mutable_type()
        ->mutable_tensor_type()
        ->mutable_shape()
        ->mutable_dim(0)
        ->set_dim_value(-5);
    check_refused(model, ErrorKind::kInvalidModel, {"'x'", "-5"});
  }
  SECTION("an attribute given twice, and one without a type") {
    auto& node = *model.mutable_graph()->mutable_node(0);
    for (int i = 0; i < 2; ++i) {
      node.add_attribute()->set_name("a");
      node.mutable_attribute(i)->set_type(onnx::AttributeProto::INT);
    }
    check_refused(model, ErrorKind::kInvalidModel, {"'a'", "twice"});
    node.mutable_attribute(0)->clear_type();
    check_refused(model, ErrorKind::kInvalidModel, {"'a'", "no type"});
  }
}

TEST_CASE("files that are no models", "[load]") {
  const TemporaryFolder folder;
  const std::string bytes = relu_model().SerializeAsString();
  CHECK(error_of([&] { load_bytes(folder, ""); }).kind() == ErrorKind::kInvalidModel);
  CHECK(error_of([&] { load_bytes(folder, "this is a text, not a model"); }).kind() ==
        ErrorKind::kInvalidModel);
  for (size_t length = 1; length < bytes.size(); ++length)
    CHECK(error_of([&] { load_bytes(folder, bytes.substr(0, length)); }).kind() == ErrorKind::kInvalidModel);

  const Error missing = error_of([&] { load_model(folder.file("none.onnx")); });
  CHECK(missing.kind() == ErrorKind::kIo);
  CHECK(std::string(missing.what()).find("none.onnx") != std::string::npos);
  CHECK(std::string(missing.what()).find("No such file") != std::string::npos);
  const Error directory = error_of([&] { load_model(folder.path().string()); });
  CHECK(directory.kind() == ErrorKind::kIo);
  CHECK(std::string(directory.what()).find("directory") != std::string::npos);
}

TEST_CASE("an output that nobody reads stays where the operator must have it", "[load]") {
  onnx::ModelProto model = empty_model();
  onnx::TensorProto& k = add_initializer(model, "k", onnx::TensorProto::INT64, {1});
  k.add_int64_data(2);
  add_node(model, "TopK", {"x", "k"}, {"y", "places"});
  CHECK(load(model).nodes[0].outputs.size() == 2);
  model = empty_model();
  add_node(model, "MaxPool", {"x"}, {"y", "places"});
  CHECK(load(model).nodes[0].outputs.size() == 1);
}
