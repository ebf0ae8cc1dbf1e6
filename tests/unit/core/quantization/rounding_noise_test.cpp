#include "core/quantization/rounding_noise.h"

#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "tests/support/measured_ranges.h"

namespace quantize {

using test::GraphBuilder;

namespace {

/// One value whose channels span `spans` steps of scale 1 each.
ValueRange spanning(const std::vector<float>& spans) {
  ValueRange range;
  range.ranges = {{0, 0}};
  for (float span : spans) {
    range.channel_ranges.push_back({0, span});
    range.ranges[0].max = std::max(range.ranges[0].max, span);
  }
  return range;
}

RoundingNoise::Estimate estimate(GraphBuilder& b, ValueId output, const std::string& value,
                                 const std::vector<float>& spans) {
  Graph graph = b.build({output});
  infer_shapes(graph);
  RangeTable ranges;
  ranges.values[value] = spanning(spans);
  const GraphIndex index(graph);
  return RoundingNoise(graph, index, ranges).estimate(graph.find_value(value), 1.0f);
}

double share(float steps) {
  return RoundingNoise::share_of(steps);
}

}  // namespace

TEST_CASE("rounding noise: falls with the square of the steps, is at most one, and none for constants") {
  CHECK(share(0) == 0);
  CHECK(share(1) == 1);
  CHECK(share(20) == Approx(4 * share(40)));
  CHECK(share(23) > 0.01);
  CHECK(share(24) < 0.01);
}

TEST_CASE("rounding noise: where channels mix, each counts by what the weights make of it") {
  const auto at_conv = [](float small_weight) {
    GraphBuilder b;
    const ValueId x = b.input("x", {1, 2, 4, 4});
    const ValueId w = b.constant("w", Tensor::of<float>({1, 2, 1, 1}, {1, small_weight}));
    return estimate(b, b.node("Conv", {x, w}), "x", {200, 2});
  };
  CHECK(at_conv(0).share == Approx(share(200)));
  CHECK(at_conv(1e4f).share == Approx(share(2)).epsilon(1e-3));
  // Both channels contribute equally to the output: the mean of their shares.
  CHECK(at_conv(100).share == Approx((share(200) + share(2)) / 2));
  CHECK(at_conv(100).reader == 0);
  CHECK(at_conv(100).narrowest_steps == Approx(2));
}

TEST_CASE("rounding noise: passes through what keeps channels apart") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 4, 4});
  const ValueId depthwise = b.node("Conv", {x, b.random("d", {2, 1, 3, 3})}, {{"group", int64_t{2}}});
  const ValueId gate = b.node("Sigmoid", {depthwise});
  const ValueId product = b.node("Mul", {depthwise, gate});
  const ValueId pooled = b.node("GlobalAveragePool", {product});
  const ValueId flat = b.node("Flatten", {pooled});
  const ValueId w = b.constant("w", Tensor::of<float>({2, 1}, {1, 100}));
  CHECK(estimate(b, b.node("MatMul", {flat, w}), "x", {200, 2}).share == Approx((share(200) + share(2)) / 2));
}

TEST_CASE("rounding noise: follows channels through Transpose, Reshape and Concat") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 2, 3});
  const ValueId other = b.input("other", {1, 1, 2, 3});
  const ValueId joined = b.node("Concat", {other, x}, {{"axis", int64_t{1}}});
  const ValueId flat = b.node("Reshape", {joined, b.ints("shape", {1, 3, 6})});
  const ValueId last = b.node("Transpose", {flat}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  const ValueId w = b.constant("w", Tensor::of<float>({3, 1}, {0, 1, 0}));
  CHECK(estimate(b, b.node("MatMul", {last, w}), "x", {200, 2}).share == Approx(share(200)));
}

TEST_CASE("rounding noise: in a result every channel speaks for itself") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 4, 4});
  const auto found = estimate(b, b.node("Relu", {x}), "x", {200, 2});
  CHECK(found.share == Approx((share(200) + share(2)) / 2));
  CHECK(found.reader == kNoNode);
}

TEST_CASE("rounding noise: of a sum, a small summand is a small part") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 1, 4, 4});
  const ValueId big = b.input("big", {1, 1, 4, 4});
  const ValueId sum = b.node("Add", {x, big});
  Graph graph = b.build({b.node("Conv", {sum, b.random("w", {1, 1, 1, 1})})});
  infer_shapes(graph);
  RangeTable ranges;
  ranges.values["x"] = spanning({2});
  ranges.values["add_0_out"] = spanning({200});
  const GraphIndex index(graph);
  const auto found = RoundingNoise(graph, index, ranges).estimate(graph.find_value("x"), 1.0f);
  CHECK(found.share == Approx(share(2) * 2 * 2 / (200.0 * 200.0)));
}

}  // namespace quantize
