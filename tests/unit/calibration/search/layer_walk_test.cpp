// A walk over the layers of a plan: what it shows and changes is what the quantized network computes.
#include "calibration/search/layer_walk.h"

#include <catch2/catch.hpp>

#include "calibration/statistics/decide_ranges.h"
#include "core/engine/engine.h"
#include "core/passes/passes.h"
#include "core/quantization/bias_correction.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/plan_quantization.h"
#include "tests/support/graph_builder.h"

using namespace quantize;

namespace {

using List = std::vector<int64_t>;

std::optional<std::vector<Tensor>> sample(size_t i) {
  return std::vector<Tensor>{test::random_tensor({1, 3, 6, 6}, static_cast<uint32_t>(i + 1), -1, 2)};
}

/// Conv -> Relu -> depthwise Conv -> GlobalAveragePool -> Flatten -> MatMul.
PlannedModel planned_network(const QuantizationScheme& scheme) {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 6, 6});
  const ValueId a = b.node("Relu", {b.node("Conv", {x, b.random("w1", {4, 3, 3, 3}), b.random("b1", {4})})});
  const ValueId d = b.node("Conv", {a, b.random("w2", {4, 1, 3, 3})}, {{"group", int64_t{4}}});
  const ValueId flat = b.node("Flatten", {b.node("GlobalAveragePool", {d})});
  const Graph graph = open_model(b.build({b.node("MatMul", {flat, b.random("w3", {4, 5})})}));
  const RangeTable ranges = decide_ranges(calibrate(graph, 6, sample, {}), scheme, 1);
  return plan_quantization(graph, ranges, scheme, find_target("native"));
}

/// The layers' outputs in a graph that insert_qdq made: [layer][sample].
std::vector<std::vector<std::vector<float>>> outputs_of(const PlannedModel& planned) {
  Graph qdq = insert_qdq(planned);
  std::vector<std::vector<std::vector<float>>> outputs;
  for (const NodeId n : corrected_layers(planned.plan))
    for (const Node& node : qdq.nodes) {
      if (node.name != planned.graph.nodes[static_cast<size_t>(n)].name) continue;
      Graph part = qdq;
      part.outputs = {node.outputs[0]};
      Engine engine(part, {});
      outputs.emplace_back();
      for (size_t s = 0; s < 6; ++s) outputs.back().push_back(engine.run(*sample(s))[0].to_vector<float>());
    }
  return outputs;
}

}  // namespace

TEST_CASE("LayerWalk: weights that a layer gets are those of the plan, for all that comes behind") {
  QuantizationScheme scheme;
  scheme.per_channel_weights = GENERATE(true, false);
  PlannedModel planned = planned_network(scheme);
  const PlannedModel before = planned;
  CalibrateOptions options;
  options.threads = 2;
  LayerWalk walk(planned, options);
  REQUIRE(walk.layers() == 3);
  REQUIRE(walk.load(6, sample));
  std::vector<std::vector<std::vector<float>>> seen;
  for (size_t i = 0; i < walk.layers(); ++i) {
    walk.enter(i);
    PlannedWeights weights = walk.planned(i);
    const size_t scales = weights.params.scale.size();
    CHECK((scales == 1) == !scheme.per_channel_weights);
    multiply_scales(weights, walk.weights(i), std::vector<double>(scales, 1.25));
    std::vector<double> shift = weights.shift;
    for (double& each : shift) each += 0.5;
    set_shift(weights, shift);
    CHECK(walk.replace(i, weights));
    std::vector<std::vector<float>>& outputs = seen.emplace_back(6);
    walk.compute_output(i, [&](size_t s, const Tensor& y) { outputs[s] = y.to_vector<float>(); });
  }
  CHECK(seen == outputs_of(planned));
  CHECK(seen != outputs_of(before));
  for (const NodeId n : corrected_layers(planned.plan)) {
    const auto at = static_cast<size_t>(n);
    const PlannedWeights &old = *before.plan.nodes[at].weights, &changed = *planned.plan.nodes[at].weights;
    const Tensor& exact = *planned.graph.constant(planned.graph.nodes[at].inputs[1]);
    CHECK(weight_codes(changed, exact).to_vector<int>() == weight_codes(old, exact).to_vector<int>());
  }
}

TEST_CASE("LayerWalk: weights whose sums might leave s32 are refused") {
  PlannedModel planned = planned_network({});
  const CalibrateOptions options;
  LayerWalk walk(planned, options);
  REQUIRE(walk.load(2, sample));
  PlannedWeights weights = walk.planned(0);
  weights.bias.assign(weights.bias.size(), 1e9);
  const std::vector<double> before = walk.planned(0).bias;
  CHECK_FALSE(walk.replace(0, weights));
  CHECK(walk.planned(0).bias == before);
}

TEST_CASE(
    "LayerWalk: samples are spread evenly; those of another shape and those that are skipped are left out") {
  PlannedModel planned = planned_network({});
  const CalibrateOptions options;
  LayerWalk walk(planned, options);
  std::vector<size_t> asked;
  CHECK(walk.load(1000, [&](size_t i) {
    asked.push_back(i);
    return asked.size() % 2 == 0 ? std::nullopt : sample(i);
  }));
  REQUIRE(asked.size() == kWalkedSamples);
  for (size_t k = 0; k < asked.size(); ++k) CHECK(asked[k] == k * 1000 / kWalkedSamples);
  CHECK(walk.samples().size() == kWalkedSamples / 2);
  CHECK_FALSE(walk.load(3, [](size_t) -> std::optional<std::vector<Tensor>> { return std::nullopt; }));
}
