// Patterns of nodes.
#include "core/fusion/patterns.h"
#include "core/passes/passes.h"

#include <catch2/catch.hpp>

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
