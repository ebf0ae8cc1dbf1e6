// Casts around operators that do not take f64.
#include "core/passes/narrow_doubles.h"

#include <catch2/catch.hpp>

#include "core/error.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

Tensor doubles(const Tensor& x) {
  Tensor y(DataType::kF64, x.shape());
  for (int64_t i = 0; i < x.size(); ++i)
    y.mutable_data<double>()[i] = static_cast<double>(x.data<float>()[i]);
  return y;
}

/// The graph that `make` builds on an input and constants of one type.
struct Network {
  explicit Network(bool is_double) : doubled(is_double) {}

  ValueId input(const Shape& shape) { return b.input("x", shape, doubled ? DataType::kF64 : DataType::kF32); }
  ValueId constant(const Shape& shape, uint32_t seed) {
    const Tensor tensor = random_tensor(shape, seed, 0.1f, 1.0f);
    return b.constant("c", doubled ? doubles(tensor) : tensor);
  }

  bool doubled;
  GraphBuilder b{21};
};

/// A layer of f64 computes what that of f32 does.
void check_layer(const char* op_type, const Shape& x, const std::vector<Shape>& constants,
                 std::map<std::string, Attribute> attributes = {}) {
  INFO(op_type);
  std::vector<Tensor> results;
  for (const bool is_double : {false, true}) {
    Network net(is_double);
    std::vector<ValueId> inputs{net.input(x)};
    for (const Shape& shape : constants)
      inputs.push_back(net.constant(shape, static_cast<uint32_t>(inputs.size())));
    const Graph graph = open_model(net.b.build({net.b.node(op_type, inputs, attributes)}));
    const Tensor image = random_tensor(x, 9);
    results.push_back(run_graph(graph, {is_double ? doubles(image) : image})[0]);
  }
  REQUIRE(results[1].dtype() == DataType::kF64);
  CHECK(equal(results[1], doubles(results[0])));
}

}  // namespace

TEST_CASE("layers of f64 compute what those of f32 do", "[narrow]") {
  using Ints = std::vector<int64_t>;
  check_layer("Conv", {1, 4, 6, 6}, {{3, 4, 3, 3}, {3}});
  check_layer("ConvTranspose", {1, 4, 6, 6}, {{4, 3, 2, 2}});
  check_layer("MatMul", {3, 4}, {{4, 5}});
  check_layer("Gemm", {3, 4}, {{4, 5}, {5}});
  check_layer("Softmax", {3, 4}, {});
  check_layer("LogSoftmax", {3, 4}, {});
  check_layer("Sigmoid", {3, 4}, {});
  check_layer("BatchNormalization", {1, 4, 3, 3}, {{4}, {4}, {4}, {4}});
  check_layer("InstanceNormalization", {1, 4, 3, 3}, {{4}, {4}});
  check_layer("LayerNormalization", {3, 4}, {{4}, {4}});
  check_layer("LRN", {1, 4, 3, 3}, {}, {{"size", int64_t{3}}});
  check_layer("AveragePool", {1, 4, 6, 6}, {}, {{"kernel_shape", Ints{2, 2}}});
  check_layer("LpPool", {1, 4, 6, 6}, {}, {{"kernel_shape", Ints{2, 2}}});
  check_layer("GlobalAveragePool", {1, 4, 6, 6}, {});
  check_layer("LSTM", {5, 1, 3}, {{1, 8, 3}, {1, 8, 2}}, {{"hidden_size", int64_t{2}}});
}

TEST_CASE("between two nodes of f32 nothing becomes f64", "[narrow]") {
  Network net(true);
  const ValueId y = net.b.node("Conv", {net.input({1, 4, 6, 6}), net.constant({4, 4, 3, 3}, 1)});
  const Graph graph = open_model(
      net.b.build({net.b.node("AveragePool", {y}, {{"kernel_shape", std::vector<int64_t>{2, 2}}})}));
  std::vector<std::string> types;
  for (const Node& node : graph.nodes) types.push_back(node.op_type);
  CHECK(types == std::vector<std::string>{"Cast", "Conv", "AveragePool", "Cast"});
  CHECK(graph.value(graph.outputs[0]).dtype == DataType::kF64);
}

TEST_CASE("a node of f32 in a graph of f64 is named, by its result if it has no name", "[narrow]") {
  Network net(true);
  Graph graph = net.b.build({net.b.node("Conv", {net.input({1, 4, 6, 6}), net.constant({4, 4, 3, 3}, 1)})});
  Graph nameless = graph;
  nameless.nodes[0].name.clear();
  CHECK(narrow_doubles(graph) == std::vector<std::string>{"conv_0"});
  CHECK(narrow_doubles(nameless) == std::vector<std::string>{"conv_0_out"});
}

TEST_CASE("operators that take f64, and graphs of f32, stay as they are", "[narrow]") {
  Network doubled(true), single(false);
  Graph relu = doubled.b.build({doubled.b.node("Relu", {doubled.input({3})})});
  CHECK(narrow_doubles(relu).empty());
  CHECK(relu.nodes.size() == 1);
  Graph conv =
      single.b.build({single.b.node("Conv", {single.input({1, 4, 6, 6}), single.constant({4, 4, 3, 3}, 1)})});
  CHECK(narrow_doubles(conv).empty());
  CHECK(conv.nodes.size() == 1);
}

TEST_CASE("a node that takes neither f64 nor f32 is refused", "[narrow]") {
  Network net(true);
  Graph graph = net.b.build({net.b.node("And", {net.input({3}), net.constant({3}, 1)})});
  CHECK_THROWS_WITH(narrow_doubles(graph),
                    Catch::Matchers::Contains("and_0") && Catch::Matchers::Contains("f64"));
}
