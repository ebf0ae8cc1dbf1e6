// Patterns of nodes.
#include "core/fusion/patterns.h"
#include "core/passes/passes.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "tests/support/graph_builder.h"

using namespace quantize;
using test::GraphBuilder;

TEST_CASE("the first BatchNormalizations are those with none before them", "[patterns]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 4, 4});
  const auto normalize = [&](ValueId value, float mean) {
    const ValueId ones = b.constant("ones", Tensor::of<float>({2}, {1, 1}));
    return b.node("BatchNormalization",
                  {value, ones, ones, b.constant("mean", Tensor::of<float>({2}, {mean, 0})),
                   b.constant("variance", Tensor::of<float>({2}, {4, 9}))},
                  {{"epsilon", 0.5f}});
  };
  const ValueId left = normalize(b.node("Relu", {x}), 1);
  const ValueId right = normalize(x, 2);
  const ValueId behind = normalize(b.node("Add", {left, right}), 3);
  const Graph graph = b.build({behind});

  const std::vector<LearnedStatistics> first = first_batch_normalizations(graph);
  REQUIRE(first.size() == 2);
  CHECK(graph.value(first[0].input).name == "relu_0_out");
  CHECK(first[0].mean == std::vector<float>{1, 0});
  CHECK(first[0].variance == std::vector<float>{4.5f, 9.5f});
  CHECK(first[1].input == x);
  CHECK(first[1].mean == std::vector<float>{2, 0});
}

TEST_CASE("results have no layer of weights behind them", "[patterns]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 4, 4});
  const auto conv = [&](ValueId value, const std::string& name) {
    return b.node("Conv", {value, b.random(name, {2, 2, 1, 1})});
  };
  const ValueId features = b.node("Relu", {conv(x, "v")});  // an output, but read by another layer
  const ValueId last = conv(features, "w"), pooled = b.node("GlobalAveragePool", {last});
  const Graph graph = b.build({features, pooled});
  const std::vector<bool> result = find_results(graph, GraphIndex(graph));
  CHECK(!result[static_cast<size_t>(x)]);
  CHECK(!result[static_cast<size_t>(features)]);
  CHECK(result[static_cast<size_t>(last)]);
  CHECK(result[static_cast<size_t>(pooled)]);
}

TEST_CASE("a clamp before rounding is one of codes behind it", "[patterns]") {
  auto draw = [next = uint32_t{0}](float low, float high) mutable {
    return test::random_tensor({1}, ++next, low, high).data<float>()[0];
  };
  for (int trial = 0; trial < 200; ++trial) {
    const float scale = std::exp2(draw(-6, 2));
    const auto zero_point = static_cast<int32_t>(draw(-128, 127));
    const CodeRange all = trial % 3 == 0 ? CodeRange{-127, 127} : CodeRange{-128, 127};
    // Every third clamp ends in the middle of two codes.
    const float low = trial % 3 == 1 ? std::floor(draw(-20, 0)) * scale + scale / 2 : scale * draw(-20, 0);
    const Clamp clamp{low, trial % 5 == 0 ? std::numeric_limits<float>::infinity() : scale * draw(0, 300)};
    const CodeRange left = clamp_codes(clamp, scale, zero_point, all);
    bool cuts = false;
    for (int i = 0; i < 200; ++i) {
      const float x = scale * draw(-300, 300);
      const auto code = [&](float real) {
        return quantize_value(real, scale, zero_point, all.low, all.high);
      };
      const int32_t clamped = code(std::clamp(x, clamp.low, clamp.high));
      CHECK(clamped == std::clamp(code(x), left.low, left.high));
      cuts = cuts || clamped != code(x);
    }
    if (cuts) CHECK(cuts_codes(clamp, {scale}, {zero_point}, all));
    if (left.low == all.low && left.high == all.high)
      CHECK_FALSE(cuts_codes(clamp, {.dtype = DataType::kS8,
                                     .scale = {scale},
                                     .zero_point = {zero_point},
                                     .axis = {},
                                     .quant_min = all.low,
                                     .quant_max = all.high}));
  }
}

TEST_CASE("depthwise: each output channel reads the input channel of its number", "[patterns]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 8, 8});
  const auto conv = [&](ValueId input, const Shape& weights, int64_t group) {
    return b.node("Conv", {input, b.random("w", weights)}, {{"group", group}});
  };
  const ValueId apart = conv(x, {4, 1, 3, 3}, 4), doubled = conv(x, {8, 1, 3, 3}, 4),
                dense = conv(x, {4, 4, 1, 1}, 1);
  const ValueId row = conv(b.input("row", {1, 4, 8}), {4, 1, 3}, 4);
  const Graph graph = b.build({apart, doubled, dense, row});
  const std::vector<bool> depthwise = {true, false, false, false}, image = {true, true, true, false};
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    CHECK(is_depthwise_image_conv(graph, graph.nodes[n]) == depthwise[n]);
    CHECK(is_image_conv(graph, graph.nodes[n]) == image[n]);
  }
}

TEST_CASE("quantize_reading: the QuantizeLinear that alone reads reals", "[patterns]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3});
  const ValueId scale = b.constant("scale", Tensor::scalar(0.1f)),
                zero = b.constant("zero", Tensor::of<uint8_t>({}, {0}));
  const ValueId alone = b.node("Abs", {x}), twice = b.node("Neg", {x}), scaled = b.node("Exp", {x});
  const ValueId codes = b.node("QuantizeLinear", {alone, scale, zero});
  const Graph graph = b.build({codes, b.node("QuantizeLinear", {twice, scale, zero}), twice,
                               b.node("QuantizeLinear", {x, scaled, zero})});
  const GraphIndex index(graph);
  CHECK(quantize_reading(graph, index, alone) == index.producer(codes));
  CHECK(quantize_reading(graph, index, twice) == kNoNode);   // an output too
  CHECK(quantize_reading(graph, index, scaled) == kNoNode);  // read as a scale
  CHECK(quantize_reading(graph, index, codes) == kNoNode);
}

TEST_CASE("is_image_kernel: two spatial axes of known extents", "[patterns]") {
  CHECK(is_image_kernel(Shape{4, 3, 1, 1}));
  CHECK_FALSE(is_image_kernel(Shape{4, 3, 5}));
  CHECK_FALSE(is_image_kernel(Shape{4, 3, 3, 3, 3}));
  CHECK_FALSE(is_image_kernel(Shape{4, 3, kUnknownDim, 1}));
}
