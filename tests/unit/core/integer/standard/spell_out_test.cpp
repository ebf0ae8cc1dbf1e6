// Integer operators and what spell_out_integers() makes of them give the same bytes.
#include "core/integer/standard/spell_out.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "core/error.h"
#include "tests/support/check_engine.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// Codes of one type with scales of their own.
class CodeGraph {
 public:
  explicit CodeGraph(DataType codes) : codes_(codes), b_(13) { b_.graph().info.opsets["com.microsoft"] = 1; }

  ValueId input(const Shape& shape) { return b_.input("x" + std::to_string(count_++), shape, codes_); }
  ValueId weights(const Shape& shape) {
    std::vector<int8_t> numbers(static_cast<size_t>(element_count(shape)));
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int8_t>(37 * (i + 3) % 255 - 127);
    return constant(Tensor::of<int8_t>(shape, numbers));
  }
  ValueId constant(Tensor tensor) { return b_.constant("c" + std::to_string(count_++), std::move(tensor)); }
  ValueId scale(float number) { return constant(Tensor::scalar(number)); }
  ValueId zero(int code) {
    return constant(codes_ == DataType::kU8 ? Tensor::scalar(static_cast<uint8_t>(code))
                                            : Tensor::scalar(static_cast<int8_t>(code - 128)));
  }
  ValueId none() { return constant(Tensor::scalar(int8_t{0})); }

  Graph made(const std::string& op_type, std::vector<ValueId> inputs,
             std::map<std::string, Attribute> attributes = {}) {
    const ValueId y = b_.node(op_type, std::move(inputs), std::move(attributes));
    if (op_type != "QLinearConv" && op_type != "QLinearMatMul")
      b_.graph().nodes.back().domain = "com.microsoft";
    return b_.build({y});
  }

 private:
  DataType codes_;
  GraphBuilder b_;
  int count_ = 0;
};

std::vector<Tensor> random_codes(const Graph& graph) {
  std::mt19937 random(7);
  std::vector<Tensor> inputs;
  for (const ValueId id : graph.inputs) {
    Tensor& codes = inputs.emplace_back(graph.value(id).dtype, *graph.value(id).shape);
    auto* bytes = static_cast<uint8_t*>(codes.mutable_bytes());
    std::generate_n(bytes, codes.byte_size(), [&] { return static_cast<uint8_t>(random()); });
  }
  return inputs;
}

void check_same(const Graph& graph) {
  const Graph spelled = spell_out_integers(graph);
  INFO(graph.nodes[0].op_type);
  for (const Node& node : spelled.nodes) {
    CHECK(node.domain.empty());
    CHECK(node.op_type.find("QLinear") == std::string::npos);
  }
  const std::vector<Tensor> inputs = random_codes(graph);
  CHECK(equal(reference_outputs(spelled, inputs)[0], reference_outputs(graph, inputs)[0]));
  CHECK(equal(run_graph(spelled, inputs)[0], run_graph(graph, inputs)[0]));
}

}  // namespace

TEST_CASE("layers of weights spelled out give the same codes", "[standard]") {
  CodeGraph g(GENERATE(DataType::kU8, DataType::kS8));
  const ValueId bias = g.constant(Tensor::of<int32_t>({4}, {100, -2000, 30000, 0}));
  const ValueId per_channel = g.constant(Tensor::of<float>({4}, {0.01f, 0.002f, 0.0007f, 0.03f}));
  SECTION("QLinearConv") {
    const auto attributes =
        GENERATE(std::map<std::string, Attribute>{},
                 std::map<std::string, Attribute>{{"auto_pad", std::string("SAME_LOWER")},
                                                  {"strides", std::vector<int64_t>{2, 1}}},
                 std::map<std::string, Attribute>{{"pads", std::vector<int64_t>{1, 0, 2, 1}},
                                                  {"dilations", std::vector<int64_t>{2, 1}}});
    check_same(g.made("QLinearConv",
                      {g.input({2, 3, 7, 8}), g.scale(0.02f), g.zero(77), g.weights({4, 3, 3, 2}),
                       per_channel, g.none(), g.scale(0.11f), g.zero(131), bias},
                      attributes));
  }
  SECTION("QLinearConv of one axis and groups") {
    check_same(g.made("QLinearConv",
                      {g.input({1, 4, 9}), g.scale(0.02f), g.zero(0), g.weights({4, 1, 3}), g.scale(0.02f),
                       g.none(), g.scale(0.05f), g.zero(255)},
                      {{"group", int64_t{4}}}));
  }
  SECTION("QLinearMatMul") {
    check_same(g.made("QLinearMatMul", {g.input({2, 5, 6}), g.scale(0.02f), g.zero(77), g.weights({6, 4}),
                                        per_channel, g.none(), g.scale(0.11f), g.zero(131)}));
  }
  SECTION("QLinearMatMul of two activations") {
    check_same(g.made("QLinearMatMul", {g.input({2, 5, 6}), g.scale(0.02f), g.zero(77), g.input({2, 6, 4}),
                                        g.scale(0.05f), g.zero(9), g.scale(0.11f), g.zero(131)}));
  }
  SECTION("QGemm") {
    const auto transposed = GENERATE(int64_t{0}, int64_t{1});
    check_same(g.made("QGemm",
                      {g.input(transposed ? Shape{6, 5} : Shape{5, 6}), g.scale(0.02f), g.zero(77),
                       g.weights(transposed ? Shape{4, 6} : Shape{6, 4}), per_channel, g.none(), bias,
                       g.scale(0.11f), g.zero(131)},
                      {{"transA", transposed}, {"transB", transposed}, {"alpha", 0.3f}}));
  }
  SECTION("QGemm whose result is real") {
    check_same(g.made("QGemm", {g.input({5, 6}), g.scale(0.02f), g.zero(77), g.weights({6, 4}), per_channel,
                                g.none(), bias}));
  }
  SECTION("MatMulIntegerToFloat") {
    const ValueId row = g.constant(Tensor::of<float>({4}, {0.1f, -3, 7, 0.3f}));
    check_same(g.made("MatMulIntegerToFloat", {g.input({5, 6}), g.weights({6, 4}), g.scale(0.02f),
                                               per_channel, g.zero(77), g.none(), row}));
  }
}

TEST_CASE("elements and pools spelled out give the same codes", "[standard]") {
  CodeGraph g(GENERATE(DataType::kU8, DataType::kS8));
  const ValueId x = g.input({2, 3, 6, 7});
  const std::vector<ValueId> of_x{x, g.scale(0.031f), g.zero(99)}, result{g.scale(0.042f), g.zero(120)};
  const auto joined = [](std::vector<ValueId> a, const std::vector<ValueId>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  const auto pair = [&] {
    return joined(joined(of_x, {g.input({3, 1, 7}), g.scale(0.017f), g.zero(3)}), result);
  };
  SECTION("sums and products") {
    check_same(g.made(GENERATE("QLinearAdd", "QLinearMul"), pair()));
  }
  SECTION("functions") {
    check_same(g.made(GENERATE("QLinearSigmoid", "QLinearLeakyRelu"), joined(of_x, result)));
  }
  SECTION("QLinearConcat") {
    check_same(g.made("QLinearConcat",
                      joined(joined(result, of_x), {g.input({2, 1, 6, 7}), g.scale(0.042f), g.zero(120)}),
                      {{"axis", int64_t{1}}}));
  }
  SECTION("QLinearWhere") {
    const ValueId condition =
        g.constant(Tensor::of<bool>({7}, {true, false, true, true, false, false, true}));
    check_same(g.made("QLinearWhere", joined({condition}, pair())));
  }
  SECTION("QLinearGlobalAveragePool") {
    check_same(g.made("QLinearGlobalAveragePool", joined(of_x, result)));
  }
  SECTION("QLinearAveragePool") {
    const int64_t ceil_mode = GENERATE(0, 1), counted = GENERATE(0, 1);
    const std::vector<int64_t> pads =
        GENERATE(std::vector<int64_t>{0, 0, 0, 0}, std::vector<int64_t>{1, 0, 1, 1});
    check_same(g.made("QLinearAveragePool", joined(of_x, result),
                      {{"kernel_shape", std::vector<int64_t>{3, 2}},
                       {"strides", std::vector<int64_t>{2, 3}},
                       {"pads", pads},
                       {"ceil_mode", ceil_mode},
                       {"count_include_pad", counted}}));
  }
}

TEST_CASE("what has no form in ONNX's own operators is refused by name", "[standard]") {
  CodeGraph g(DataType::kU8);
  const Graph graph =
      g.made("QLinearSoftmax", {g.input({2, 5}), g.scale(0.1f), g.zero(0), g.scale(1.0f / 256), g.zero(0)},
             {{"opset", int64_t{13}}});
  CHECK_THROWS_WITH(spell_out_integers(graph),
                    Catch::Contains("QLinearSoftmax") && Catch::Contains("--exclude"));
}
