// Ranges by what they do to readers: what is taken instead of a method's range, and what is not.
#include "calibration/search/choose_ranges.h"

#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "core/quantization/plan_quantization.h"
#include "tests/support/measured_ranges.h"

using namespace quantize;

namespace {

constexpr const char* kValue = "relu_1_out";

/// Conv -> Relu -> Conv -> Conv, where the first convolution's channel 0 is `factor` times as large as the
/// others, and the second one multiplies it by `weight` times as much.
Graph network(float factor, float weight) {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 12, 12});
  const ValueId a = b.node("Relu", {b.node("Conv", {x, b.random("w1", {4, 3, 3, 3}), b.random("b1", {4})})});
  const ValueId c = b.node("Conv", {a, b.random("w2", {6, 4, 3, 3})});
  Graph graph = b.build({b.node("Conv", {c, b.random("w3", {2, 6, 1, 1})})});
  const auto weights = [&](const char* name) {
    return graph.value(graph.find_value(name)).initializer.mutable_data<float>();
  };
  for (int i = 0; i < 27; ++i) weights("w1")[i] *= factor;
  weights("b1")[0] *= factor;
  for (int o = 0; o < 6; ++o)
    for (int i = 0; i < 9; ++i) weights("w2")[o * 36 + i] *= weight;
  return open_model(graph);
}

std::optional<std::vector<Tensor>> sample(size_t i) {
  return std::vector<Tensor>{test::random_tensor({1, 3, 12, 12}, static_cast<uint32_t>(i + 1), -1, 2)};
}

/// Starts from kValue in [0, own]; a second method would have it in [0, other].
ValueRange choose(const Graph& graph, float own, float other, const QuantizationScheme& scheme = {},
                  int threads = 1) {
  RangeTable first = test::measured_ranges(graph), second = first;
  first.values.at(kValue).ranges = {{0, own}};
  for (auto& [name, value] : second.values) value.method = "other";
  second.values.at(kValue).ranges = {{0, other}};
  const PlannedModel planned = plan_quantization(graph, first, scheme, find_target("ort-x86"));
  CalibrateOptions options;
  options.threads = threads;
  return choose_ranges(planned, {first, second}, scheme, 12, sample, options).values.at(kValue);
}

float largest(const Graph& graph) {
  return test::measured_ranges(graph).values.at(kValue).ranges[0].max;
}

QuantizationScheme all_integer() {
  QuantizationScheme scheme;
  scheme.max_noise = 1;
  return scheme;
}

}  // namespace

TEST_CASE("choose_ranges: a large channel that nobody weighs is cut off for the sake of the others") {
  const Graph graph = network(100, 0);
  const float all = largest(graph);
  const ValueRange value = choose(graph, all, all / 20, all_integer());
  CHECK(value.ranges[0].max == all / 20);
  CHECK(value.method == "other, chosen for the nodes that read it");
  REQUIRE(value.candidates.size() == 2);
  CHECK(value.candidates[0].method == "max");
  CHECK(value.candidates[0].range.max == all);
  CHECK(value.candidates[1].error < value.candidates[0].error / 2);
  CHECK(value.candidates[1].error > 0);
}

TEST_CASE("choose_ranges: what readers weigh is not cut off") {
  const Graph graph = network(100, 1);
  const float all = largest(graph);
  const ValueRange value = choose(graph, all, all / 20, all_integer());
  CHECK(value.ranges[0].max == all);
  CHECK(value.method == "max");
  CHECK(value.candidates[1].error > value.candidates[0].error);
}

TEST_CASE("choose_ranges: a range that cuts off what readers weigh is widened") {
  const Graph graph = network(1, 1);
  const float all = largest(graph);
  CHECK(choose(graph, all / 3, all).ranges[0].max == all);
}

TEST_CASE("choose_ranges: a cut must halve the error, so a slightly smaller range is not looked at") {
  const Graph graph = network(1, 1);
  const float all = largest(graph);
  const ValueRange value = choose(graph, 1.25f * all, all);
  CHECK(value.ranges[0].max == 1.25f * all);
  CHECK(value.candidates.empty());
}

TEST_CASE("choose_ranges: in front of a function its flat side is cut off") {
  // HardSwish is 0 below -3, so that nobody sees what a range that ends there cuts off.
  test::GraphBuilder b(14);
  const ValueId x = b.input("x", {1, 3, 12, 12});
  const ValueId c = b.node("Conv", {x, b.random("w1", {4, 3, 3, 3}, -4, 1), b.random("b1", {4})});
  const ValueId h = b.node("HardSwish", {c});
  const Graph graph = open_model(b.build({b.node("Conv", {h, b.random("w2", {2, 4, 1, 1})})}));
  QuantizationScheme scheme = all_integer();
  const RangeTable table = test::measured_ranges(graph);
  const PlannedModel planned = plan_quantization(graph, table, scheme, find_target("ort-x86"));
  REQUIRE(table.values.at("conv_0_out").ranges[0].min < -20);
  const ValueRange value = choose_ranges(planned, {table}, scheme, 12, sample, {}).values.at("conv_0_out");
  CHECK(value.ranges[0].min == table.values.at("conv_0_out").ranges[0].min / 4);
  CHECK(value.method == "a quarter (min), max (max), chosen for the nodes that read it");
}

TEST_CASE("choose_ranges: an override is not questioned, and threads do not show") {
  const Graph graph = network(100, 0);
  const float all = largest(graph);
  QuantizationScheme scheme = all_integer();
  CHECK(choose(graph, all, all / 20, scheme, 3).candidates[1].error ==
        choose(graph, all, all / 20, scheme).candidates[1].error);
  scheme.overrides[kValue].scale_amax = 1;
  CHECK(choose(graph, all, all / 20, scheme).candidates.empty());
}

TEST_CASE("choose_ranges: a value without elements, whose number depends on data, keeps its range") {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {8, 4}), zero = b.constant("zero", Tensor::scalar<int64_t>(0));
  const ValueId other_layer = b.node("MatMul", {x, b.random("w1", {4, 3})});
  const ValueId rows = b.node("Tanh", {x});
  const ValueId first = b.node("Gather", {rows, zero}, {{"axis", int64_t{1}}});
  const ValueId chosen =
      b.node("NonZero", {b.node("Greater", {first, b.constant("least", Tensor::scalar(0.0f))})});
  const ValueId kept = b.node("Gather", {rows, b.node("Reshape", {chosen, b.ints("flat", {-1})})});
  const std::string name = b.graph().value(kept).name;
  const ValueId layer = b.node("MatMul", {kept, b.random("w2", {4, 3})});
  const Graph graph = open_model(b.build({other_layer, b.node("ReduceSum", {layer, b.ints("axes", {0})})}));
  RangeTable table = test::measured_ranges(graph, 3), part = table;  // of a sample that has some
  for (auto& [value, range] : part.values)
    range.ranges = {{range.ranges[0].min / 8, range.ranges[0].max / 8}};
  const PlannedModel planned = plan_quantization(graph, table, all_integer(), find_target("ort-x86"));
  const auto negative = [](size_t i) -> std::optional<std::vector<Tensor>> {
    return std::vector<Tensor>{test::random_tensor({8, 4}, static_cast<uint32_t>(i + 1), -2, -1)};
  };
  const RangeTable ranges = choose_ranges(planned, {table, part}, all_integer(), 12, negative, {});
  REQUIRE(ranges.values.at(name).candidates.size() > 1);
  CHECK_FALSE(ranges.values.at(name).by_readers);
  REQUIRE(ranges.values.at("x").candidates.size() > 1);
  CHECK(ranges.values.at("x").candidates[0].error > 0);
}
