// Models of f16 and bf16 become models of f32.
#include "onnx_io/widen_halves.h"

#include "tests/unit/onnx_io/model_files.h"

using namespace quantize;
using namespace quantize::test;

namespace {

void set_half(onnx::ValueInfoProto& info) {
  info.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT16);
}

/// y = Cast(x * [1, 2, -2, 0.5]) of f16.
onnx::ModelProto half_model() {
  onnx::ModelProto model = empty_model();
  set_half(*model.mutable_graph()->mutable_input(0));
  set_half(*model.mutable_graph()->mutable_output(0));
  onnx::TensorProto& factors = add_initializer(model, "w", onnx::TensorProto::FLOAT16, {4});
  for (const int bits : {0x3c00, 0x4000, 0xc000, 0x3800}) factors.add_int32_data(bits);
  add_node(model, "Mul", {"x", "w"}, {"z"});
  onnx::AttributeProto& to = *add_node(model, "Cast", {"z"}, {"y"}).add_attribute();
  to.set_name("to");
  to.set_type(onnx::AttributeProto::INT);
  to.set_i(onnx::TensorProto::FLOAT16);
  return model;
}

}  // namespace

TEST_CASE("a model of f16 is read as one of f32", "[widen]") {
  const Graph graph = load(half_model());
  CHECK(graph.info.widened_from == std::vector<DataType>{DataType::kF16});
  CHECK(graph.value(graph.inputs[0]).dtype == DataType::kF32);
  CHECK(graph.value(graph.outputs[0]).dtype == DataType::kF32);
  const Tensor& factors = graph.value(graph.find_value("w")).initializer;
  CHECK(equal(factors, Tensor::of<float>({4}, {1, 2, -2, 0.5f})));
  CHECK(graph.nodes[1].int_attribute("to", 0) == static_cast<int64_t>(DataType::kF32));
}

TEST_CASE("a model without f16 is not widened", "[widen]") {
  CHECK(load(relu_model()).info.widened_from.empty());
}

TEST_CASE("a model that reads bits keeps its types", "[widen]") {
  onnx::ModelProto model = half_model();
  model.mutable_opset_import(0)->set_version(26);
  model.mutable_graph()->mutable_node(1)->set_op_type("BitCast");
  const Graph graph = load(model);
  CHECK(graph.info.widened_from.empty());
  CHECK(graph.value(graph.inputs[0]).dtype == DataType::kF16);
}
