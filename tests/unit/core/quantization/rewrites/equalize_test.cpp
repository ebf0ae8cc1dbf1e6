// Equalized networks compute the same; channels come near one size; what cannot take factors stays.
#include "core/quantization/rewrites/equalize.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/passes/passes.h"
#include "tests/support/measured_ranges.h"

namespace quantize {

using test::GraphBuilder;

namespace {

using List = std::vector<int64_t>;

/// Weights whose output channels differ by up to 2^6.
ValueId uneven(GraphBuilder& b, const std::string& name, Shape shape) {
  Tensor weights = test::random_tensor(shape, 3);
  const int64_t inner = weights.size() / shape[0];
  for (int64_t i = 0; i < weights.size(); ++i)
    weights.mutable_data<float>()[i] *= std::exp2(-static_cast<float>(i / inner % 7));
  return b.constant(name, weights);
}

ValueId uneven_conv(GraphBuilder& b, const std::string& name, ValueId x, int64_t inputs, int64_t outputs,
                    int64_t kernel) {
  return b.node(
      "Conv",
      {x, uneven(b, name, {outputs, inputs, kernel, kernel}), b.random(name + "_b", {outputs}, 0.0f, 0.001f)},
      {{"pads", List(4, kernel / 2)}});
}

ValueId conv(GraphBuilder& b, const std::string& name, ValueId x, int64_t inputs, int64_t outputs) {
  return b.node("Conv", {x, b.random(name, {outputs, inputs, 1, 1})});
}

std::vector<std::string> equalized(Graph& graph, const QuantizationScheme& scheme = {}) {
  infer_shapes(graph);
  const Graph before = graph;
  std::vector<std::string> names;
  for (const EqualizedValue& value : equalize_channels(graph, test::measured_ranges(graph), scheme)) {
    CHECK(value.exponent > 0);
    if (scheme.per_channel_weights) CHECK(value.noise_ratio < 0.95);
    names.push_back(value.value);
  }
  validate(graph);
  const std::vector<Tensor> inputs = test::random_inputs(graph, 9);
  const std::vector<Tensor> expected = Engine(before, {}).run(inputs), actual = Engine(graph, {}).run(inputs);
  for (size_t o = 0; o < expected.size(); ++o)
    for (int64_t i = 0; i < expected[o].size(); ++i)
      CHECK(actual[o].data<float>()[i] == Approx(expected[o].data<float>()[i]).epsilon(1e-4).margin(1e-5));
  return names;
}

/// Largest over median magnitude of the channels that a value has.
double spread(const Graph& graph, const std::string& name) {
  std::vector<double> magnitudes;
  const RangeTable ranges = test::measured_ranges(graph);
  for (const Range& range : ranges.find(name)->channel_ranges)
    magnitudes.push_back(std::max(std::abs(double{range.min}), std::abs(double{range.max})));
  std::sort(magnitudes.begin(), magnitudes.end());
  return magnitudes.back() / magnitudes[magnitudes.size() / 2];
}

}  // namespace

TEST_CASE("equalize: through a Relu, a pool, a Concat and a depthwise convolution") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId left = b.node("Relu", {uneven_conv(b, "left", x, 3, 7, 1)});
  const ValueId right = b.node("LeakyRelu", {uneven_conv(b, "right", x, 3, 9, 3)}, {{"alpha", 0.1f}});
  const ValueId pooled = b.node("MaxPool", {left}, {{"kernel_shape", List{3, 3}}, {"pads", List(4, 1)}});
  const ValueId joined = b.node("Concat", {pooled, right}, {{"axis", int64_t{1}}});
  const ValueId deep = b.node("Conv", {joined, b.random("deep", {16, 1, 3, 3})}, {{"group", int64_t{16}}});
  Graph graph = b.build({conv(b, "last", b.node("Tanh", {deep}), 16, 4)});
  const Graph before = graph;
  CHECK(equalized(graph) == std::vector<std::string>{"relu_1_out", "leakyrelu_3_out"});
  CHECK(spread(before, "concat_5_out") > 6);
  CHECK(spread(graph, "concat_5_out_equalized") < 2.5);
  CHECK(graph.find_value("relu_1_out") == kNoValue);
  CHECK(graph.find_value("conv_6_out") != kNoValue);  // the depthwise convolution restores the sizes
}

TEST_CASE("equalize: to a Gemm behind a global pool; a Clip cuts off nothing that was seen") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId clip =
      b.node("Clip", {uneven_conv(b, "w", x, 3, 7, 1), b.constant("low", Tensor::scalar(0.0f)),
                      b.constant("high", Tensor::scalar(6.0f))});
  const ValueId flat = b.node("Flatten", {b.node("GlobalAveragePool", {clip})});
  Graph graph = b.build({b.node("Gemm", {flat, b.random("fc", {5, 7})}, {{"transB", int64_t{1}}})});
  CHECK(equalized(graph) == std::vector<std::string>{"clip_1_out"});
}

TEST_CASE("equalize: what has another reader, is an output, or is overridden stays") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId y = b.node("Relu", {uneven_conv(b, "w", x, 3, 7, 1)});
  const ValueId z = conv(b, "z", y, 7, 4);
  QuantizationScheme scheme;
  SECTION("an addition") {
    Graph graph = b.build({z, conv(b, "sum", b.node("Add", {y, conv(b, "other", x, 3, 7)}), 7, 2)});
    CHECK(equalized(graph).empty());
  }
  SECTION("a function of another kind") {
    Graph graph = b.build({z, conv(b, "t", b.node("Tanh", {y}), 7, 2)});
    CHECK(equalized(graph).empty());
  }
  SECTION("an output") {
    Graph graph = b.build({z, y});
    CHECK(equalized(graph).empty());
  }
  SECTION("an override") {
    scheme.overrides["relu_1_out"].amax = 4;
    Graph graph = b.build({z});
    CHECK(equalized(graph, scheme).empty());
  }
  SECTION("weights of one scale") {
    scheme.per_channel_weights = false;
    Graph graph = b.build({z});
    CHECK(equalized(graph, scheme) == std::vector<std::string>{"relu_1_out"});
  }
  SECTION("weights that two layers share") {
    const ValueId shared = b.graph().nodes.back().inputs[1];
    Graph graph = b.build({z, b.node("Conv", {b.node("Relu", {conv(b, "o", x, 3, 7)}), shared})});
    CHECK(equalized(graph).empty());
  }
  SECTION("else not") {
    Graph graph = b.build({z});
    CHECK(equalized(graph) == std::vector<std::string>{"relu_1_out"});
  }
}

TEST_CASE("equalize: channels of one size already stay to the bit") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId w = b.constant("w", Tensor::of<float>({2, 3, 1, 1}, {1, -2, 0.5f, 1, -2, 0.5f}));
  Graph graph = b.build({conv(b, "z", b.node("Relu", {b.node("Conv", {x, w})}), 2, 4)});
  const Graph before = graph;
  CHECK(equalized(graph).empty());
  for (size_t v = 0; v < before.values.size(); ++v) {
    CHECK(graph.values[v].name == before.values[v].name);
    if (before.values[v].is_constant())
      CHECK(graph.values[v].initializer.to_vector<float>() ==
            before.values[v].initializer.to_vector<float>());
  }
}

namespace {

/// The largest weight of all over that of the row with the least.
double spread_of_rows(const Graph& graph, const std::string& weights) {
  const Tensor& tensor = graph.value(graph.find_value(weights)).initializer;
  const int64_t rows = tensor.shape()[0], inner = tensor.size() / rows;
  std::vector<float> largest(static_cast<size_t>(rows), 0.0f);
  for (int64_t i = 0; i < tensor.size(); ++i)
    largest[static_cast<size_t>(i / inner)] =
        std::max(largest[static_cast<size_t>(i / inner)], std::abs(tensor.data<float>()[i]));
  const auto [least, most] = std::minmax_element(largest.begin(), largest.end());
  return double{*most} / double{*least};
}

}  // namespace

TEST_CASE("equalize: with one scale per tensor, rows and columns of weights share what makes them differ") {
  QuantizationScheme scheme;
  scheme.per_channel_weights = false;
  const bool clamps = GENERATE(false, true);
  GraphBuilder b(13);
  const ValueId first = uneven_conv(b, "w", b.input("x", {1, 3, 8, 8}), 3, 8, 3);
  const ValueId low = b.constant("low", Tensor::scalar(0.0f)),
                high = b.constant("high", Tensor::scalar(0.3f));
  const ValueId active = clamps ? b.node("Clip", {first, low, high}) : b.node("Relu", {first});
  Graph graph = b.build({conv(b, "v", active, 8, 5)});
  const double before = spread_of_rows(graph, "w");
  CHECK(equalized(graph, scheme).size() == 1);  // and nothing that is computed changes, Clip or not
  CHECK(spread_of_rows(graph, "w") < before / 2);
}

}  // namespace quantize
