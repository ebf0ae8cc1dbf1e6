// Norm tweaking: the channels of every layer have the mean and variance that the float network gives them.
#include <catch2/catch.hpp>
#include <cmath>

#include "calibration/search/layer_walk.h"
#include "calibration/search/plan_maker.h"
#include "core/engine/engine.h"
#include "core/passes/passes.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/quantize_weights.h"
#include "tests/support/graph_builder.h"

using namespace quantize;

namespace {

using List = std::vector<int64_t>;

constexpr size_t kCount = 12;

std::optional<std::vector<Tensor>> sample(size_t i) {
  return std::vector<Tensor>{test::random_tensor({1, 3, 10, 10}, static_cast<uint32_t>(i + 1), -1, 2)};
}

/// A Conv, and a MatMul of those rows of its output whose first element is above the threshold.
Graph chosen_rows(float threshold) {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 10, 10});
  const ValueId rows =
      b.node("Reshape", {b.node("Conv", {x, b.random("w1", {6, 3, 3, 3})}), b.ints("shape", {-1, 8})});
  const ValueId first =
      b.node("Gather", {rows, b.constant("zero", Tensor::scalar(int64_t{0}))}, {{"axis", int64_t{1}}});
  const ValueId mask = b.node("Greater", {first, b.constant("threshold", Tensor::scalar(threshold))});
  const ValueId chosen = b.node("Compress", {rows, mask}, {{"axis", int64_t{0}}});
  return open_model(b.build({b.node("MatMul", {chosen, b.random("w2", {8, 4})}), rows}));
}

/// Conv -> Relu -> depthwise Conv -> ConvTranspose -> GlobalAveragePool -> Flatten -> MatMul.
Graph network() {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 10, 10});
  const ValueId a = b.node("Relu", {b.node("Conv", {x, b.random("w1", {6, 3, 3, 3}), b.random("b1", {6})})});
  const ValueId d = b.node("Conv", {a, b.random("w2", {6, 1, 3, 3})}, {{"group", int64_t{6}}});
  const ValueId t = b.node("ConvTranspose", {d, b.random("w3", {6, 4, 2, 2})}, {{"strides", List{2, 2}}});
  const ValueId flat = b.node("Flatten", {b.node("GlobalAveragePool", {t})});
  return open_model(b.build({b.node("MatMul", {flat, b.random("w4", {4, 3})})}));
}

struct Moments {
  double mean = 0, deviation = 0;
};

/// Per channel of the output of the node of this name, over all samples; behind the bias, wherever that is added.
std::vector<Moments> moments_of(Graph graph, const std::string& node) {
  for (const Node& each : graph.nodes)
    if (each.name == node || (each.op_type == "Add" && each.inputs[0] == graph.outputs[0]))
      graph.outputs = {each.outputs[0]};
  Engine engine(graph, {});
  std::vector<std::vector<double>> elements;
  for (size_t s = 0; s < kCount; ++s) {
    const Tensor y = engine.run(*sample(s))[0];
    const auto channels = static_cast<size_t>(y.shape()[1]), rows = static_cast<size_t>(y.size()) / channels;
    elements.resize(channels);
    for (size_t c = 0; c < channels; ++c)
      for (size_t i = 0; i < rows; ++i) elements[c].push_back(double{y.data<float>()[c * rows + i]});
  }
  std::vector<Moments> moments;
  for (const std::vector<double>& channel : elements) {
    Moments of;
    for (const double x : channel) of.mean += x / static_cast<double>(channel.size());
    for (const double x : channel) of.deviation += (x - of.mean) * (x - of.mean);
    of.deviation = std::sqrt(of.deviation / static_cast<double>(channel.size()));
    moments.push_back(of);
  }
  return moments;
}

/// Half a code of the bias before and half of the bias after, and the rounding of sums and scales.
double margin_of(const PlannedModel& planned, NodeId layer, size_t channel, const Moments& exact) {
  const auto at = static_cast<size_t>(layer);
  const ValueId input = planned.graph.nodes[at].inputs[0];
  const QuantParams& params = *planned.plan.values[static_cast<size_t>(input)].params;
  return 1.02 * double{bias_scale(planned.plan.nodes[at].weights->params, params, channel)} +
         1e-3 * exact.deviation;
}

const SearchStep& norm_tweaking() {
  for (const SearchStep& step : all_search_steps())
    if (step.name == "norm tweaking") return step;
  throw std::logic_error("no such step");
}

/// The plan with 4-bit weights, and what the step makes of it, if it applies.
struct Tweaked {
  PlannedModel before;
  std::optional<PlannedModel> after;
  std::vector<LeftOut> left_out;
};

Tweaked tweak(QuantizationScheme scheme, int threads, uint64_t macs = Budget().macs,
              const Graph& graph = network()) {
  scheme.weights.num_bits = 4;
  const SampleSet set{.count = kCount, .load = sample};
  const SamplePool pool(set, false, false);
  const StatisticsTable statistics = calibrate(graph, kCount, sample, {});
  CalibrateOptions options;
  options.threads = threads;
  options.budget.macs = macs;
  PlanMaker maker(graph, statistics, scheme, find_target("native"), pool, options);
  const Recipe recipe{.method = "max", .bias_correction = BiasCorrection::kClosedForm};
  Tweaked tweaked{maker.plan(recipe), {}, {}};
  SearchState state{maker, recipe, tweaked.before, tweaked.left_out};
  if (const auto variation = norm_tweaking().vary(state)) tweaked.after = maker.plan(variation->recipe);
  return tweaked;
}

}  // namespace

TEST_CASE("norm tweaking: layers have the moments of the float network, codes stay") {
  QuantizationScheme scheme;
  const auto [before, after, left_out] = tweak(scheme, 1);
  REQUIRE(after);
  const std::vector<NodeId> layers = corrected_layers(after->plan);
  REQUIRE(layers.size() == 4);
  double largest_before = 0;
  for (const NodeId n : layers) {
    const Node& node = after->graph.nodes[static_cast<size_t>(n)];
    INFO(node.name);
    const std::vector<Moments> exact = moments_of(after->graph, node.name),
                               old = moments_of(insert_qdq(before), node.name),
                               tweaked = moments_of(insert_qdq(*after), node.name);
    for (size_t c = 0; c < exact.size(); ++c) {
      CHECK(tweaked[c].mean == Approx(exact[c].mean).margin(margin_of(*after, n, c, exact[c])));
      CHECK(tweaked[c].deviation == Approx(exact[c].deviation).epsilon(2e-3));
      largest_before = std::max(largest_before, std::abs(old[c].deviation / exact[c].deviation - 1));
    }
    const auto& weights = *after->plan.nodes[static_cast<size_t>(n)].weights;
    const Tensor& float_weights = *after->graph.constant(node.inputs[1]);
    CHECK(weight_codes(weights, float_weights).to_vector<int>() ==
          weight_codes(*before.plan.nodes[static_cast<size_t>(n)].weights, float_weights).to_vector<int>());
  }
  CHECK(largest_before > 0.02);
}

TEST_CASE("norm tweaking: one scale for all channels keeps the means and the variance of all together") {
  QuantizationScheme scheme;
  scheme.per_channel_weights = false;
  const auto [before, after, left_out] = tweak(scheme, 1);
  REQUIRE(after);
  for (const NodeId n : corrected_layers(after->plan)) {
    const std::string& name = after->graph.nodes[static_cast<size_t>(n)].name;
    const std::vector<Moments> exact = moments_of(after->graph, name),
                               tweaked = moments_of(insert_qdq(*after), name);
    INFO(name);
    double wanted = 0, found = 0;
    for (size_t c = 0; c < exact.size(); ++c) {
      CHECK(tweaked[c].mean == Approx(exact[c].mean).margin(margin_of(*after, n, c, exact[c])));
      wanted += exact[c].deviation * exact[c].deviation;
      found += tweaked[c].deviation * tweaked[c].deviation;
    }
    CHECK(found == Approx(wanted).epsilon(4e-3));
  }
}

TEST_CASE("norm tweaking: threads do not show") {
  const Graph one = insert_qdq(*tweak({}, 1).after), three = insert_qdq(*tweak({}, 3).after);
  CHECK(fingerprint(one) == fingerprint(three));
}

TEST_CASE(
    "norm tweaking: it is left out where biases are not to be measured, and named where it costs too much") {
  QuantizationScheme scheme;
  scheme.bias_correction = BiasCorrection::kClosedForm;
  CHECK_FALSE(tweak(scheme, 1).after);
  const Tweaked costly = tweak({}, 1, 1000);
  CHECK_FALSE(costly.after);
  REQUIRE(costly.left_out.size() == 1);
  CHECK(costly.left_out[0].step == "norm tweaking");
  CHECK(costly.left_out[0].macs > 1000);
}

TEST_CASE("norm tweaking: a layer whose input is empty on some samples, or on all") {
  const Graph some = chosen_rows(6.0f);
  size_t empty = 0;
  Engine engine(some, {});
  for (size_t s = 0; s < kCount; ++s) empty += engine.run(*sample(s))[0].size() == 0;
  CHECK(empty > 0);
  CHECK(empty < kCount);
  for (const float threshold : {6.0f, 1e6f}) {
    const auto [before, after, left_out] = tweak({}, 1, Budget().macs, chosen_rows(threshold));
    REQUIRE(after);
    for (const auto& node : after->plan.nodes)
      if (node.weights)
        for (const float scale : node.weights->params.scale) CHECK(std::isfinite(scale));
  }
}
