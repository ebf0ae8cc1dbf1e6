// The forecast for files that break one rule of a target each.
#include "core/quantization/forecast.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "core/quantization/check_scheme.h"
#include "core/quantization/insert_qdq.h"
#include "tests/support/planned_graph.h"

using namespace quantize;
using test::conv;
using test::GraphBuilder;
using test::plan_of;

namespace {

/// Conv, Relu, MaxPool, Conv with a bias, Sigmoid, Conv for a target, as a file.
Graph file_for(const TargetProfile& target) {
  GraphBuilder b;
  const ValueId first = b.node("Relu", {conv(b, b.input("x", {1, 3, 8, 8}), 3, 4)});
  const ValueId pool = b.node("MaxPool", {first}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  const ValueId second = b.node("Conv", {pool, b.random("w", {4, 4, 1, 1}), b.random("bias", {4})});
  QuantizationScheme scheme;
  scheme.max_noise = 1e30;
  take_types(scheme, target, target.choose_types({}, {}));
  Graph qdq = insert_qdq(plan_of(b, {conv(b, b.node("Sigmoid", {second}), 4, 2)}, scheme, {}, target));
  infer_shapes(qdq);
  return qdq;
}

/// The flaws of all nodes of a type, in order.
std::vector<std::optional<Flaw>> flaws(const Graph& graph, const TargetProfile& target,
                                       const std::string& op_type) {
  std::vector<std::optional<Flaw>> found;
  for (const NodeForecast& each : forecast(graph, target).nodes)
    if (graph.nodes[static_cast<size_t>(each.node)].op_type == op_type) found.push_back(each.flaw);
  return found;
}

Tensor& constant(Graph& graph, const std::string& name) {
  return graph.value(graph.find_value(name)).initializer;
}

Tensor scalar_code(DataType type, int32_t code) {
  Tensor result(type, Shape{});
  if (type == DataType::kU8)
    result.mutable_data<uint8_t>()[0] = static_cast<uint8_t>(code);
  else
    result.mutable_data<int8_t>()[0] = static_cast<int8_t>(code);
  return result;
}

}  // namespace

TEST_CASE("forecast: what a target writes, it computes on integers") {
  for (const TargetProfile* target : all_targets()) {
    INFO(target->name);
    for (const auto& flaw : flaws(file_for(*target), *target, "Conv")) CHECK_FALSE(flaw);
    CHECK(forecast(file_for(*target), *target).conversions >= 1);  // of the image
  }
}

TEST_CASE("forecast: zero points, scales and types that a target does not take") {
  const TargetProfile &tensorrt = find_target("tensorrt"), &vitis = find_target("vitis"),
                      &tflite = find_target("tflite"), &ort = find_target("ort-x86");
  Graph graph = file_for(tensorrt);
  constant(graph, "x_zero_point") = scalar_code(DataType::kS8, 3);
  CHECK(flaws(graph, tensorrt, "Conv")[0] == Flaw::kZeroPoint);
  CHECK_FALSE(flaws(graph, tensorrt, "Conv")[1]);

  graph = file_for(vitis);
  constant(graph, "x_scale") = Tensor::scalar(0.3f);
  CHECK(flaws(graph, vitis, "Conv")[0] == Flaw::kScaleGrid);

  graph = file_for(tflite);
  constant(graph, "sigmoid_4_out_scale") = Tensor::scalar(1.0f / 255);
  CHECK(flaws(graph, tflite, "Sigmoid")[0] == Flaw::kFixedScale);

  for (const auto& flaw : flaws(file_for(ort), tensorrt, "Conv")) CHECK(flaw == Flaw::kTypes);
  CHECK(flaws(file_for(find_target("openvino")), ort, "Conv")[0] == std::nullopt);
}

TEST_CASE("forecast: biases of another form or scale") {
  const TargetProfile &ort = find_target("ort-x86"), &tflite = find_target("tflite");
  Graph graph = file_for(tflite);
  constant(graph, "bias_scale").mutable_data<float>()[1] *= 1.05f;
  CHECK(flaws(graph, tflite, "Conv")[1] == Flaw::kBiasScale);
  CHECK(flaws(file_for(find_target("vitis")), find_target("tensorrt"), "Conv")[1] == Flaw::kBiasForm);
  CHECK_FALSE(flaws(file_for(ort), find_target("openvino"), "Conv")[1]);
}

TEST_CASE("forecast: islands that are not whole") {
  const TargetProfile& ort = find_target("ort-x86");
  Graph graph = file_for(ort);
  const auto quantize = std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return is_quantize(node) && graph.value(node.outputs[0]).name == "sigmoid_4_out_quantized";
  });
  REQUIRE(quantize != graph.nodes.end());
  graph.outputs.push_back(quantize->inputs[0]);
  CHECK(flaws(graph, ort, "Sigmoid")[0] == Flaw::kReadAsReals);

  graph = file_for(ort);
  for (Node& node : graph.nodes)
    if (node.op_type == "Sigmoid") node.inputs[0] = graph.inputs[0];
  CHECK(flaws(graph, ort, "Sigmoid")[0] == Flaw::kReadsReals);
}

TEST_CASE("forecast: an operator that hands codes on keeps their scale, and Q moves over it") {
  const TargetProfile& ort = find_target("ort-x86");
  Graph graph = file_for(ort);
  CHECK_FALSE(flaws(graph, ort, "MaxPool")[0]);
  for (Node& node : graph.nodes)
    if (is_quantize(node) && graph.value(node.outputs[0]).name.starts_with("maxpool"))
      node.inputs[1] = graph.add_constant("other_scale", Tensor::scalar(0.7f));
  infer_shapes(graph);
  CHECK(flaws(graph, ort, "MaxPool")[0] == Flaw::kScalesDiffer);
  CHECK_FALSE(flaws(file_for(find_target("tensorrt")), ort, "MaxPool")[0]);
}

TEST_CASE("forecast: DQ of computed codes moves over what hands codes on, whoever reads that") {
  const auto file = [](bool is_rounded) {
    GraphBuilder b;
    const ValueId s = b.constant("s", Tensor::scalar(0.1f)),
                  z = b.constant("z", scalar_code(DataType::kU8, 0)),
                  t = b.constant("t", Tensor::scalar(0.2f));
    const ValueId d =
        b.node("DequantizeLinear", {b.node("QuantizeLinear", {b.input("x", {1, 4, 8, 8}), s, z}), s, z});
    const std::map<std::string, Attribute> turned = {{"perm", std::vector<int64_t>{0, 1, 3, 2}}};
    const ValueId once = b.node("Transpose", {d}, turned), twice = b.node("Transpose", {once}, turned);
    const ValueId y = b.node("QuantizeLinear", {b.node("Add", {twice, d}), t, z});
    Graph graph = b.build({b.node("DequantizeLinear", {y, t, z}), b.node("Sqrt", {once}),
                           b.node("QuantizeLinear", {is_rounded ? twice : d, t, z})});
    infer_shapes(graph);
    return graph;
  };
  const TargetProfile &ort = find_target("ort-x86"), &openvino = find_target("openvino");
  CHECK(flaws(file(false), ort, "Transpose") == std::vector<std::optional<Flaw>>(2));
  CHECK(flaws(file(false), ort, "Add") == std::vector<std::optional<Flaw>>(1));
  CHECK(flaws(file(false), openvino, "Transpose")[0] == Flaw::kNoQuantize);
  CHECK_FALSE(flaws(file(true), ort, "Transpose")[0]);
  CHECK(flaws(file(true), ort, "Transpose")[1].has_value());  // a Q of another scale stands behind it
}

TEST_CASE("forecast: ArgMax of 8-bit codes of one scale needs no QuantizeLinear") {
  const auto file = [](const std::string& op_type, DataType type, const Shape& scales) {
    GraphBuilder b;
    Tensor zeros(type, scales), steps(DataType::kF32, scales);
    std::memset(zeros.mutable_bytes(), 0, zeros.byte_size());
    std::fill_n(steps.mutable_data<float>(), steps.size(), 0.1f);
    const ValueId s = b.constant("s", std::move(steps)), z = b.constant("z", std::move(zeros));
    const ValueId codes = b.node("QuantizeLinear", {b.input("x", {1, 4, 8, 8}), s, z});
    Graph graph =
        b.build({b.node(op_type, {b.node("DequantizeLinear", {codes, s, z})}, {{"axis", int64_t{1}}})});
    infer_shapes(graph);
    return graph;
  };
  const TargetProfile &ort = find_target("ort-x86"), &openvino = find_target("openvino");
  CHECK_FALSE(flaws(file("ArgMax", DataType::kU8, {}), ort, "ArgMax")[0]);
  CHECK(flaws(file("ArgMax", DataType::kU8, {}), openvino, "ArgMax")[0] == Flaw::kNoReals);
  CHECK(flaws(file("ArgMin", DataType::kU8, {}), ort, "ArgMin")[0] == Flaw::kNoReals);
  CHECK(flaws(file("ArgMax", DataType::kU16, {}), ort, "ArgMax")[0] == Flaw::kNoReals);
  CHECK(flaws(file("ArgMax", DataType::kU8, {4}), ort, "ArgMax")[0] == Flaw::kNoReals);
}

TEST_CASE("forecast: a Relu that cuts codes keeps the layer in front of it in float") {
  const TargetProfile &ort = find_target("ort-x86"), &arm = find_target("ort-arm");
  Graph graph = file_for(find_target("vitis"));  // zero points of 0, so that the Relu stays
  CHECK(flaws(graph, arm, "Conv")[0] == Flaw::kClampStays);
  CHECK(flaws(graph, arm, "Relu")[0] == Flaw::kNoAbsorber);
  CHECK_FALSE(flaws(graph, find_target("vitis"), "Relu")[0]);
  CHECK_FALSE(flaws(file_for(ort), ort, "Conv")[0]);
}

TEST_CASE("forecast: the opset of a file") {
  const TargetProfile& ort = find_target("ort-x86");
  Graph graph = file_for(ort);
  CHECK_FALSE(forecast(graph, ort).refusal);
  TargetProfile old = ort;
  old.opsets = {10, 11};
  REQUIRE(forecast(graph, old).refusal);
  CHECK(forecast(graph, old).refusal->reason == "ort-x86 does not take opset 13, but 10 to 11");
}
