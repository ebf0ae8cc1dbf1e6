#include "core/quantization/insert_qdq.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "core/passes/passes.h"
#include "core/quantization/plan_quantization.h"
#include "tests/support/measured_ranges.h"

namespace quantize {

using test::count_nodes;
using test::GraphBuilder;

namespace {

struct Quantized {
  Graph source, qdq;
};

Quantized quantize_graph(GraphBuilder& b, std::vector<ValueId> outputs,
                         const QuantizationScheme& scheme = {}) {
  Quantized result{b.build(std::move(outputs)), {}};
  infer_shapes(result.source);
  const RangeTable ranges = test::measured_ranges(result.source);
  result.qdq = insert_qdq(plan_quantization(result.source, ranges, scheme, find_target("ort-x86")));
  validate(result.qdq);
  return result;
}

/// Signal over error of the quantized graph's first output, in dB.
double sqnr(const Quantized& q) {
  const auto inputs = test::random_inputs(q.source);
  const Tensor expected = test::run_graph(q.source, inputs)[0], actual = test::run_graph(q.qdq, inputs)[0];
  double signal = 0, noise = 1e-30;
  for (int64_t i = 0; i < expected.size(); ++i) {
    const double e = expected.data<float>()[i], a = actual.data<float>()[i];
    signal += e * e;
    noise += (e - a) * (e - a);
  }
  return 10 * std::log10(signal / noise);
}

ValueId conv(GraphBuilder& b, ValueId x, int64_t inputs, int64_t outputs, int64_t kernel = 1) {
  const std::string name = std::to_string(b.graph().nodes.size());
  const int64_t pad = kernel / 2;
  return b.node("Conv",
                {x, b.random("w" + name, {outputs, inputs, kernel, kernel}), b.random("b" + name, {outputs})},
                {{"pads", std::vector<int64_t>{pad, pad, pad, pad}}});
}

}  // namespace

TEST_CASE("QDQ: what a float convolution writes is shielded from runtimes that would round its weights") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId relu = b.node("Relu", {conv(b, x, 3, 8, 3)});
  const ValueId clipped = b.node("Relu", {conv(b, relu, 8, 8, 3)});
  QuantizationScheme scheme;
  scheme.float_nodes = {"conv_2"};
  const Quantized q = quantize_graph(b, {conv(b, clipped, 8, 4)}, scheme);
  const GraphIndex index(q.qdq);
  size_t shields = 0;
  for (const Node& node : q.qdq.nodes) {
    if (node.op_type != "Max") continue;
    ++shields;
    CHECK(q.qdq.nodes[static_cast<size_t>(index.producer(node.inputs[0]))].op_type == "Relu");
    CHECK(q.qdq.nodes[static_cast<size_t>(index.uses(node.outputs[0])[0].node)].op_type == "QuantizeLinear");
  }
  CHECK(shields == 1);
  CHECK(sqnr(q) > 30);
}

TEST_CASE("QDQ: a chain of operators computes what the float graph does, within 8 bits") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId relu = b.node("Relu", {conv(b, x, 3, 8, 3)});
  const ValueId sum = b.node("Relu", {b.node("Add", {conv(b, relu, 8, 8, 3), relu})});
  const ValueId pooled = b.node("Flatten", {b.node("GlobalAveragePool", {sum})});
  const ValueId logits =
      b.node("Gemm", {pooled, b.random("w", {5, 8}), b.random("c", {5})}, {{"transB", int64_t{1}}});
  const Quantized q = quantize_graph(b, {logits});
  CHECK(count_nodes(q.qdq, "Relu") == 0);
  CHECK(sqnr(q) > 30);
}

TEST_CASE("QDQ: weights are s8 and biases s32 constants behind a DQ, scaled by x_scale * w_scale") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  const Quantized q = quantize_graph(b, {conv(b, x, 3, 4)});
  const Graph& g = q.qdq;
  const Tensor& weights = *g.constant(g.find_value("w0_quantized"));
  CHECK(weights.dtype() == DataType::kS8);
  CHECK(weights.shape() == Shape{4, 3, 1, 1});
  const Tensor& bias = *g.constant(g.find_value("b0_quantized"));
  CHECK(bias.dtype() == DataType::kS32);
  const Tensor& w_scale = *g.constant(g.find_value("w0_scale"));
  const Tensor& b_scale = *g.constant(g.find_value("b0_scale"));
  const Tensor& x_scale = *g.constant(g.find_value("x_scale"));
  CHECK(x_scale.shape().empty());
  REQUIRE(w_scale.shape() == Shape{4});
  for (int64_t c = 0; c < 4; ++c)
    CHECK(b_scale.data<float>()[c] == x_scale.data<float>()[0] * w_scale.data<float>()[c]);
  for (const Node& node : g.nodes) {
    if (node.op_type != "DequantizeLinear" || g.constant(node.inputs[0]) == nullptr) continue;
    CHECK(node.int_attribute("axis", -1) == 0);
  }
}

TEST_CASE("QDQ: inputs and outputs keep their names and types") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  const ValueId first = conv(b, x, 3, 4);
  const Quantized q = quantize_graph(b, {conv(b, first, 4, 2), first, x});
  REQUIRE(q.qdq.outputs.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(q.qdq.value(q.qdq.outputs[i]).name == q.source.value(q.source.outputs[i]).name);
    CHECK(q.qdq.value(q.qdq.outputs[i]).dtype == DataType::kF32);
  }
  CHECK(q.qdq.value(q.qdq.inputs[0]).name == "x");
  const auto results = test::run_graph(q.qdq, test::random_inputs(q.source));
  CHECK(results[1].shape() == Shape{1, 4, 4, 4});
}

TEST_CASE("QDQ: a quantized node's output goes to one Q alone, and everybody reads what the DQ returns") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  const ValueId y = conv(b, x, 3, 4);
  const ValueId swish = b.node("Tanh", {y});
  const Quantized q = quantize_graph(b, {conv(b, y, 4, 2), swish});
  const GraphIndex index(q.qdq);
  for (const Node& node : q.qdq.nodes) {
    if (node.op_type != "Conv") continue;
    REQUIRE(index.single_use(node.outputs[0]));
    CHECK(q.qdq.nodes[static_cast<size_t>(index.uses(node.outputs[0])[0].node)].op_type == "QuantizeLinear");
  }
  const NodeId read = index.producer(q.qdq.find_value("conv_0_out"));
  CHECK(q.qdq.nodes[static_cast<size_t>(read)].op_type == "DequantizeLinear");
}

TEST_CASE("QDQ: values that share a scale share the constants") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  const ValueId pool =
      b.node("MaxPool", {b.node("Relu", {conv(b, x, 3, 4)})}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  const Quantized q = quantize_graph(b, {conv(b, pool, 4, 2)});
  std::set<ValueId> scales;
  for (const Node& node : q.qdq.nodes)
    if (node.op_type == "QuantizeLinear") scales.insert(node.inputs[1]);
  CHECK(count_nodes(q.qdq, "QuantizeLinear") == 4);
  CHECK(scales.size() == 3);
}

TEST_CASE("QDQ: a product without a bias input gets its correction in an Add") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 5, 6});
  const ValueId plain = b.node("MatMul", {x, b.random("w", {6, 4})});
  const Quantized added = quantize_graph(b, {plain});
  CHECK(count_nodes(added.qdq, "Add") == 1);
  CHECK(sqnr(added) > 30);
  const ValueId with_bias = b.node("Add", {plain, b.random("bias", {4})});
  const Quantized corrected = quantize_graph(b, {with_bias});
  CHECK(count_nodes(corrected.qdq, "Add") == 1);
  CHECK(sqnr(corrected) > 30);
}

TEST_CASE("QDQ: the mean of every output channel survives coarse weights") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 16, 16});
  const ValueId shifted = b.node("Relu", {conv(b, x, 4, 4)});
  const ValueId y = b.node("Conv", {shifted, b.random("coarse", {3, 4, 1, 1})});
  QuantizationScheme scheme;
  scheme.max_noise = 1;
  scheme.overrides["coarse"].num_bits = 3;
  const auto mean_error = [&](bool correct) {
    scheme.bias_correction = correct ? BiasCorrection::kMeasured : BiasCorrection::kOff;
    const Quantized q = quantize_graph(b, {y}, scheme);
    const auto inputs = test::random_inputs(q.source);
    const Tensor e = test::run_graph(q.source, inputs)[0], a = test::run_graph(q.qdq, inputs)[0];
    double worst = 0;
    for (int64_t c = 0; c < 3; ++c) {
      double error = 0;
      for (int64_t i = 0; i < 256; ++i)
        error += double{a.data<float>()[c * 256 + i]} - double{e.data<float>()[c * 256 + i]};
      worst = std::max(worst, std::abs(error / 256));
    }
    return worst;
  };
  CHECK(mean_error(true) * 5 < mean_error(false));
}

TEST_CASE("QDQ: codes of fewer bits are kept by a Clip") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  const ValueId hidden = b.node("Relu", {conv(b, x, 3, 4)});
  QuantizationScheme scheme;
  scheme.overrides["relu_1_out"].num_bits = 4;
  scheme.overrides["relu_1_out"].scale_amax = 0.25f;
  const Quantized q = quantize_graph(b, {conv(b, hidden, 4, 2), hidden}, scheme);
  CHECK(count_nodes(q.qdq, "Clip") == 1);
  const Tensor result = test::run_graph(q.qdq, test::random_inputs(q.source))[1];
  const float step = q.qdq.constant(q.qdq.find_value("relu_1_out_scale"))->data<float>()[0];
  float largest = 0;
  for (int64_t i = 0; i < result.size(); ++i) largest = std::max(largest, result.data<float>()[i]);
  CHECK(largest == Approx(15 * step));
}

TEST_CASE("QDQ: types and bits of the scheme reach the file, and per-tensor weights are scalars") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  QuantizationScheme scheme;
  scheme.activations = {.dtype = DataType::kS8, .symmetric = true};
  scheme.per_channel_weights = false;
  scheme.weights.num_bits = 7;
  const Quantized q = quantize_graph(b, {conv(b, x, 3, 4)}, scheme);
  CHECK(q.qdq.constant(q.qdq.find_value("x_zero_point"))->dtype() == DataType::kS8);
  CHECK(q.qdq.constant(q.qdq.find_value("w0_scale"))->shape().empty());
  const Tensor& codes = *q.qdq.constant(q.qdq.find_value("w0_quantized"));
  for (int64_t i = 0; i < codes.size(); ++i) CHECK(std::abs(codes.data<int8_t>()[i]) <= 63);
  CHECK(sqnr(q) > 25);
}

TEST_CASE("QDQ: an input can take codes in place of reals") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  Quantized q = quantize_graph(b, {conv(b, x, 3, 4)});
  const Tensor expected = test::run_graph(q.qdq, test::random_inputs(q.source))[0];
  const QuantParams params = choose_quant_params({test::measured_ranges(q.source).values["x"].ranges[0]}, {});
  drop_input_quantization(q.qdq);
  validate(q.qdq);
  CHECK(q.qdq.value(q.qdq.inputs[0]).dtype == DataType::kU8);
  const Tensor actual =
      test::run_graph(q.qdq, {quantize_tensor(test::random_inputs(q.source)[0], params)})[0];
  CHECK(equal(actual, expected));
}

}  // namespace quantize
