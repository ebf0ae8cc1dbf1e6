// A saved model equals the one that was read, and files are never half-written.
#include "tests/support/graph_builder.h"
#include "tests/unit/onnx_io/model_files.h"

using namespace quantize;
using namespace quantize::test;

namespace {

onnx::ModelProto saved(const Graph& graph) {
  const TemporaryFolder folder;
  save_model(graph, folder.file("out.onnx"));
  CHECK(folder.file_count() == 1);
  onnx::ModelProto model;
  REQUIRE(model.ParseFromString(read_text(folder.file("out.onnx"))));
  return model;
}

/// A model that uses every field that has to survive.
onnx::ModelProto rich_model() {
  onnx::ModelProto model = empty_model();
  model.set_producer_name("producer");
  model.set_producer_version("1.2");
  model.set_domain("org.example");
  model.set_model_version(42);
  model.set_doc_string("about the model");
  auto& entry = *model.add_metadata_props();
  entry.set_key("author");
  entry.set_value("somebody");
  auto& graph = *model.mutable_graph();
  graph.set_doc_string("about the graph");
  graph.mutable_input(0)->set_doc_string("about x");
  auto& batch =
      *graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0);
  batch.set_dim_param("batch");
  auto& weight = add_initializer(model, "w", onnx::TensorProto::FLOAT, {1});
  weight.add_float_data(0.5f);
  weight.set_doc_string("about w");
  auto& node = add_node(model, "Clip", {"x", "", "w"}, {"a"});
  node.set_name("clip");
  node.set_doc_string("about clip");
  set_type(*graph.add_value_info(), "a", {1, 4});
  graph.mutable_value_info(0)->set_doc_string("about a");
  auto& leaky = *add_node(model, "LeakyRelu", {"a"}, {"y", ""}).add_attribute();
  leaky.set_name("alpha");
  leaky.set_type(onnx::AttributeProto::FLOAT);
  leaky.set_f(0.1f);
  return model;
}

}  // namespace

TEST_CASE("inputs that nobody reads are written where they stood, of any type", "[save]") {
  onnx::ModelProto model = empty_model();
  add_node(model, "Add", {"x", "z"}, {"y"});
  model.mutable_graph()->clear_input();
  for (const char* name : {"first", "x", "image_size", "z", "last"})
    set_type(*model.mutable_graph()->add_input(), name, {1, 4});
  auto& symbolic = *model.mutable_graph()->mutable_input(2)->mutable_type()->mutable_tensor_type();
  symbolic.set_elem_type(onnx::TensorProto::STRING);
  symbolic.mutable_shape()->mutable_dim(0)->set_dim_param("N");
  model.mutable_graph()->mutable_input(4)->mutable_type()->mutable_sequence_type()->mutable_elem_type();
  Graph graph = load(model);
  const onnx::ModelProto written = saved(graph);
  REQUIRE(written.graph().input_size() == 5);
  for (int i = 0; i < 5; ++i)
    CHECK(written.graph().input(i).SerializeAsString() == model.graph().input(i).SerializeAsString());

  CHECK(graph.value(graph.add_value("last")).name ==
        "last_1");  // no new value takes the name of such an input
  graph.inputs.pop_back();
  graph.value(1).initializer = Tensor(DataType::kF32, {1, 4});
  std::string names;
  const onnx::ModelProto fewer = saved(graph);
  for (const auto& input : fewer.graph().input()) names += input.name() + " ";
  CHECK(names == "first x image_size last ");
}

TEST_CASE("everything a model says about itself survives", "[save]") {
  const onnx::ModelProto model = saved(load(rich_model()));
  CHECK(model.ir_version() == 8);
  CHECK(model.producer_name() == "producer");
  CHECK(model.producer_version() == "1.2");
  CHECK(model.domain() == "org.example");
  CHECK(model.model_version() == 42);
  CHECK(model.doc_string() == "about the model");
  REQUIRE(model.metadata_props_size() == 1);
  CHECK(model.metadata_props(0).value() == "somebody");
  const auto& graph = model.graph();
  CHECK(graph.name() == "g");
  CHECK(graph.doc_string() == "about the graph");
  CHECK(graph.input(0).doc_string() == "about x");
  CHECK(graph.input(0).type().tensor_type().shape().dim(0).dim_param() == "batch");
  CHECK(graph.input(0).type().tensor_type().shape().dim(1).dim_value() == 4);
  REQUIRE(graph.initializer_size() == 1);
  CHECK(graph.initializer(0).name() == "w");
  CHECK(graph.initializer(0).doc_string() == "about w");
  REQUIRE(graph.node_size() == 2);
  CHECK(graph.node(0).name() == "clip");
  CHECK(graph.node(0).doc_string() == "about clip");
  REQUIRE(graph.node(0).input_size() == 3);
  CHECK(graph.node(0).input(1).empty());
  CHECK(graph.node(1).attribute(0).f() == 0.1f);
  CHECK(graph.node(1).output(1).empty());
  REQUIRE(graph.value_info_size() == 1);
  CHECK(graph.value_info(0).doc_string() == "about a");
}

TEST_CASE("saving what was loaded from a saved file gives the same bytes", "[save]") {
  const TemporaryFolder folder;
  save_model(load(rich_model()), folder.file("a.onnx"));
  save_model(load_model(folder.file("a.onnx")), folder.file("b.onnx"));
  CHECK(read_text(folder.file("a.onnx")) == read_text(folder.file("b.onnx")));
}

TEST_CASE("every attribute and element type survives", "[save]") {
  Graph graph = load(relu_model());
  auto& attributes = graph.nodes[0].attributes;
  attributes["i"] = int64_t{-3};
  attributes["f"] = 2.5f;
  attributes["s"] = std::string("text");
  attributes["t"] = Tensor::of<uint8_t>({2}, {1, 2});
  attributes["is"] = std::vector<int64_t>{1, 2};
  attributes["fs"] = std::vector<float>{};
  attributes["ss"] = std::vector<std::string>{"a", "b"};
  const TemporaryFolder folder;
  save_model(graph, folder.file("m.onnx"));
  const Graph again = load_model(folder.file("m.onnx"));
  const Node& node = again.nodes[0];
  CHECK(node.int_attribute("i", 0) == -3);
  CHECK(node.float_attribute("f", 0) == 2.5f);
  CHECK(node.string_attribute("s", "") == "text");
  CHECK(equal(*node.tensor_attribute("t"), *graph.nodes[0].tensor_attribute("t")));
  CHECK(node.ints_attribute("is", {}) == std::vector<int64_t>{1, 2});
  CHECK(node.floats_attribute("fs", {1.0f}).empty());
  CHECK(std::get<std::vector<std::string>>(node.attributes.at("ss")) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("the IR version fits the opset, and is the source's if that is higher", "[save]") {
  Graph graph = load(relu_model());
  const auto written = [&](int64_t opset, int64_t ir_version) {
    graph.info.opsets[""] = opset;
    graph.info.ir_version = ir_version;
    return saved(graph).ir_version();
  };
  CHECK(written(7, 3) == 4);  // initializers need not be inputs since 4
  CHECK(written(13, 3) == 7);
  CHECK(written(17, 7) == 8);
  CHECK(written(21, 8) == 10);
  CHECK(written(13, 10) == 10);
}

TEST_CASE("values that nothing refers to are not written", "[save]") {
  Graph graph = load(relu_model());
  graph.add_constant("unused", Tensor::scalar(1.0f));
  graph.add_value("gone", DataType::kF32, Shape{1});
  const onnx::ModelProto model = saved(graph);
  CHECK(model.graph().initializer_size() == 0);
  CHECK(model.graph().value_info_size() == 0);
}

TEST_CASE("what cannot be written is an I/O error and leaves nothing behind", "[save]") {
  const TemporaryFolder folder;
  const Graph graph = load(relu_model());
  for (const std::string& path :
       {folder.file("none/out.onnx"), folder.path().string(), std::string("/dev/full")}) {
    const Error error = error_of([&] { save_model(graph, path); });
    CHECK(error.kind() == ErrorKind::kIo);
    CHECK(std::string(error.what()).find(path) != std::string::npos);
  }
  CHECK(folder.file_count() == 0);
}

TEST_CASE("constants that do not fit into the file stand in one beside it", "[save_model]") {
  const test::TemporaryFolder folder;
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId conv = b.node("Conv", {x, b.random("w", {64, 3, 5, 5}), b.random("bias", {64})});
  const Graph graph = b.build({b.node("Conv", {conv, b.random("v", {8, 64, 3, 3})})});
  const std::string path = folder.file("m.onnx"), data = path + ".data";
  const uint64_t inside = save_model(graph, path);
  CHECK_FALSE(std::filesystem::exists(data));
  const uint64_t bytes = save_model(graph, path, 1000);
  CHECK(bytes == std::filesystem::file_size(path) + std::filesystem::file_size(data));
  CHECK(std::filesystem::file_size(path) < 2048);
  const Graph read = load_model(path);
  for (const char* name : {"w", "bias", "v"})
    CHECK(equal(read.value(read.find_value(name)).initializer,
                graph.value(graph.find_value(name)).initializer));
  CHECK(save_model(read, folder.file("again.onnx")) == inside);
  // A data file that cannot be written leaves the model as it was.
  std::filesystem::remove(data);
  std::filesystem::create_directory(data);
  const auto before = std::filesystem::file_size(path);
  CHECK_THROWS_AS(save_model(graph, path, 1000), Error);
  CHECK(std::filesystem::file_size(path) == before);
  CHECK_THROWS_AS(save_model(graph, "/dev/null", 1000), Error);
}
