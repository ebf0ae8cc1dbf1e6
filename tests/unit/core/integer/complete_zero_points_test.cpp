// Zero points that a file leaves out, and numbers of scales and zero points that differ.
#include <catch2/catch.hpp>

#include "core/integer/lowering.h"
#include "core/integer/model_facts.h"
#include "core/integer/quantized_operand.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

namespace quantize {

using test::GraphBuilder;

namespace {

/// Which zero points a graph leaves out: a bit for x, weights, bias and y.
struct LeftOut {
  unsigned bits;
  ValueId operator()(unsigned bit, ValueId zero_point) const {
    return (bits >> bit & 1) != 0 ? kNoValue : zero_point;
  }
};

struct Layer {
  std::string op_type;
  Shape x, weights;
  int64_t channels, axis;
  std::map<std::string, Attribute> attributes = {};
};

Tensor codes(const Shape& shape) {
  Tensor tensor(DataType::kS8, shape);
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.mutable_data<int8_t>()[i] = static_cast<int8_t>(i * 37 % 255 - 127);
  return tensor;
}

/// Q, DQ, the layer with quantized weights and bias, Relu, Q, DQ.
Graph qdq_layer(const Layer& layer, bool per_channel, LeftOut zero) {
  GraphBuilder b;
  const auto u8_zero = [&](unsigned bit, const char* name) {
    return zero(bit, b.constant(name, Tensor::scalar(uint8_t{0})));
  };
  const auto round = [&](ValueId value, float scale, ValueId zero_point) {
    const ValueId s = b.constant("s", Tensor::scalar(scale));
    return b.node("DequantizeLinear", {b.node("QuantizeLinear", {value, s, zero_point}), s, zero_point});
  };
  const Shape many = per_channel ? Shape{layer.channels} : Shape{};
  const ValueId x = round(b.input("x", layer.x), 0.02f, u8_zero(0, "xz"));
  Tensor steps(DataType::kF32, many), bias_steps(DataType::kF32, many);
  for (int64_t c = 0; c < steps.size(); ++c) {
    steps.mutable_data<float>()[c] = 0.001f * static_cast<float>(c + 1);
    bias_steps.mutable_data<float>()[c] = 0.02f * steps.data<float>()[c];
  }
  const ValueId w = b.node("DequantizeLinear",
                           {b.constant("w", codes(layer.weights)), b.constant("ws", steps),
                            zero(1, b.constant("wz", Tensor(DataType::kS8, many)))},
                           {{"axis", layer.axis}});
  Tensor numbers(DataType::kS32, {layer.channels});
  for (int64_t c = 0; c < layer.channels; ++c)
    numbers.mutable_data<int32_t>()[c] = static_cast<int32_t>(50 * c);
  const ValueId bias = b.node("DequantizeLinear",
                              {b.constant("b", numbers), b.constant("bs", bias_steps),
                               zero(2, b.constant("bz", Tensor(DataType::kS32, many)))},
                              {{"axis", int64_t{0}}});
  const ValueId y = b.node("Relu", {b.node(layer.op_type, {x, w, bias}, layer.attributes)});
  return b.build({round(y, 0.03f, u8_zero(3, "yz"))});
}

}  // namespace

TEST_CASE("Zero points: those that are left out are zeros, alone and together") {
  const auto pads = [](int64_t group) {
    return std::map<std::string, Attribute>{{"pads", std::vector<int64_t>{1, 1, 1, 1}}, {"group", group}};
  };
  const Layer layer = GENERATE_COPY(Layer{"Conv", {1, 4, 6, 5}, {6, 4, 3, 3}, 6, 0, pads(1)},
                                    Layer{"Conv", {1, 4, 6, 5}, {4, 1, 3, 3}, 4, 0, pads(4)},
                                    Layer{"Conv", {1, 4, 6, 5}, {6, 2, 3, 3}, 6, 0, pads(2)},
                                    Layer{"Conv", {1, 4, 6, 5}, {6, 4, 1, 1}, 6, 0},
                                    Layer{"ConvTranspose", {1, 4, 3, 3}, {4, 6, 2, 2}, 6, 1},
                                    Layer{"Gemm", {7, 9}, {9, 5}, 5, 1},
                                    Layer{"Gemm", {7, 9}, {5, 9}, 5, 0, {{"transB", int64_t{1}}}});
  const bool per_channel = GENERATE(false, true);
  const Graph full = qdq_layer(layer, per_channel, {0});
  const std::vector<Tensor> inputs = test::random_inputs(full);
  const Tensor expected = test::run_graph(full, inputs)[0];
  for (unsigned bits = 1; bits < 16; ++bits) {
    INFO(layer.op_type << ", left out " << bits);
    CHECK(equal(test::run_graph(qdq_layer(layer, per_channel, {bits}), inputs)[0], expected));
  }
}

TEST_CASE("Zero points: written out with the type of the codes and the shape of the scale") {
  GraphBuilder b(21);
  const ValueId x = b.input("x", {1, 3, 4, 4}), s = b.constant("s", Tensor::scalar(0.1f)),
                many = b.constant("many", Tensor::of<float>({3}, {0.1f, 0.2f, 0.3f}));
  const ValueId plain = b.node("QuantizeLinear", {x, s}),
                by_type = b.node("QuantizeLinear", {x, s, kNoValue},
                                 {{"output_dtype", static_cast<int64_t>(DataType::kS8)}});
  Graph graph = b.build({b.node("DequantizeLinear", {plain, many}), by_type});
  infer_shapes(graph);
  complete_zero_points(graph);
  validate(graph);
  const auto zero_point = [&](size_t node) { return graph.constant(graph.nodes[node].inputs.at(2)); };
  CHECK(equal(*zero_point(0), Tensor::scalar(uint8_t{0})));
  CHECK(equal(*zero_point(1), Tensor::scalar(int8_t{0})));
  CHECK(equal(*zero_point(2), Tensor(DataType::kU8, {3})));
}

TEST_CASE("Zero points: one scale for many, many scales for one, and numbers that do not match") {
  OperandParams params{{0.5f}, {}};
  CHECK(params.match_numbers());
  CHECK(params.zero_point == std::vector<int32_t>{0});
  params = {{0.5f}, {1, 2, 3}};
  CHECK(params.match_numbers());
  CHECK(params.scale == std::vector<float>{0.5f, 0.5f, 0.5f});
  params = {{0.5f, 0.25f}, {7}};
  CHECK(params.match_numbers());
  CHECK(params.zero_point == std::vector<int32_t>{7, 7});
  params = {{0.5f, 0.25f}, {1, 2, 3}};
  CHECK_FALSE(params.match_numbers());
}

TEST_CASE("Zero points: how the codes of an input are read, by any operator") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3}, DataType::kU8), s = b.constant("s", Tensor::scalar(0.5f)),
                w = b.constant("w", codes({3, 4})), ws = b.constant("ws", Tensor::scalar(0.25f)),
                z = b.constant("z", Tensor::scalar(uint8_t{7}));
  const bool is_known = GENERATE(false, true);
  const ValueId y = b.node("MatMulIntegerToFloat", {x, w, s, ws, is_known ? z : kNoValue});
  b.graph().nodes.back().domain = "com.microsoft";
  const auto params = dequantization_of(b.build({y}), x);
  REQUIRE(params);
  CHECK(params->scale == std::vector<float>{0.5f});
  CHECK(params->zero_point == std::vector<int32_t>{is_known ? 7 : 0});
  CHECK(params->dtype == DataType::kU8);
}

TEST_CASE("Zero points: the zero point of a bias that is not 0 is refused, never ignored") {
  GraphBuilder b;
  const ValueId s = b.constant("s", Tensor::scalar(0.1f)), z = b.constant("z", Tensor::scalar(uint8_t{3})),
                wz = b.constant("wz", Tensor::scalar(int8_t{0})),
                bs = b.constant("bs", Tensor::scalar(0.01f)),
                bz = b.constant("bz", Tensor::scalar(int32_t{5}));
  const auto round = [&](ValueId value) {
    return b.node("DequantizeLinear", {b.node("QuantizeLinear", {value, s, z}), s, z});
  };
  const ValueId x = round(b.input("x", {1, 2, 3, 3})),
                w = b.node("DequantizeLinear", {b.constant("w", codes({2, 2, 1, 1})), s, wz}),
                bias = b.node("DequantizeLinear", {b.constant("b", Tensor(DataType::kS32, {2})), bs, bz});
  const Graph graph = b.build({round(b.node("Conv", {x, w, bias}))});
  CHECK_THROWS_AS(test::run_graph(graph, test::random_inputs(graph)), Error);
}

}  // namespace quantize
