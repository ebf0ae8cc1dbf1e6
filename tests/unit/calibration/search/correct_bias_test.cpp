// The measured step of bias correction, against its definition: mean outputs of the quantized network are
// those of the float network.
#include "calibration/search/correct_bias.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "calibration/search/layer_walk.h"
#include "calibration/statistics/decide_ranges.h"
#include "core/engine/engine.h"
#include "core/passes/passes.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/plan_quantization.h"
#include "tests/support/graph_builder.h"

using namespace quantize;

namespace {

using List = std::vector<int64_t>;

/// Conv 3x3 -> Relu -> depthwise -> Add of both -> Conv 1x1 -> GlobalAveragePool -> Flatten -> MatMul.
Graph chain() {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 12, 12});
  const ValueId a = b.node("Relu", {b.node("Conv", {x, b.random("w1", {8, 3, 3, 3}), b.random("b1", {8})},
                                           {{"pads", List{1, 1, 1, 1}}, {"strides", List{2, 2}}})});
  const ValueId d = b.node("Conv", {a, b.random("w2", {8, 1, 3, 3}), b.random("b2", {8})},
                           {{"pads", List{1, 1, 1, 1}}, {"group", int64_t{8}}});
  const ValueId sum = b.node("Add", {a, d});
  const ValueId p =
      b.node("Relu", {b.node("Conv", {sum, b.random("w3", {16, 8, 1, 1}), b.random("b3", {16})})});
  const ValueId flat = b.node("Flatten", {b.node("GlobalAveragePool", {p})});
  return open_model(b.build({b.node("MatMul", {flat, b.random("w4", {16, 4})})}));
}

std::optional<std::vector<Tensor>> sample(size_t i) {
  return std::vector<Tensor>{test::random_tensor({1, 3, 12, 12}, static_cast<uint32_t>(i + 1), -1, 2)};
}

constexpr size_t kSamples = 24;

struct Quantized : PlannedModel {
  explicit Quantized(int weight_bits = 4) {
    graph = chain();
    const StatisticsTable statistics = calibrate(graph, kSamples, sample, {});
    QuantizationScheme scheme;
    scheme.weights.num_bits = weight_bits;
    plan = plan_quantization(graph, decide_ranges(statistics, scheme, 1), scheme, find_target("native")).plan;
  }

  std::vector<double> mean_outputs(const Graph& network) const {
    Engine engine(network, {});
    std::vector<double> means;
    for (size_t s = 0; s < kSamples; ++s) {
      const Tensor y = engine.run(*sample(s))[0];
      means.resize(static_cast<size_t>(y.size()));
      for (size_t i = 0; i < means.size(); ++i) means[i] += double{y.data<float>()[i]} / double{kSamples};
    }
    return means;
  }
  double error_of_outputs() const {
    Engine exact(graph, {}), rounded(insert_qdq(*this), {});
    double sum = 0;
    for (size_t s = 0; s < kSamples; ++s) {
      const Tensor a = exact.run(*sample(s))[0], b = rounded.run(*sample(s))[0];
      for (int64_t i = 0; i < a.size(); ++i) sum += std::pow(a.data<float>()[i] - b.data<float>()[i], 2);
    }
    return sum;
  }
  double shift_of_outputs() const {
    const std::vector<double> exact = mean_outputs(graph), rounded = mean_outputs(insert_qdq(*this));
    double largest = 0;
    for (size_t i = 0; i < exact.size(); ++i) largest = std::max(largest, std::abs(exact[i] - rounded[i]));
    return largest;
  }
};

std::vector<std::vector<double>> biases(const QuantizationPlan& plan) {
  std::vector<std::vector<double>> result;
  for (NodeId n : corrected_layers(plan)) result.push_back(plan.nodes[static_cast<size_t>(n)].weights->bias);
  return result;
}

}  // namespace

TEST_CASE("correct_bias: the outputs of the quantized network have the float network's mean") {
  Quantized q;
  REQUIRE(corrected_layers(q.plan).size() == 4);
  const double before = q.shift_of_outputs();
  correct_bias(q, kSamples, sample, BiasCorrection::kMeasured, WeightRounding::kNearest, {});
  CHECK(before > 0.01);
  CHECK(q.shift_of_outputs() < 1e-4);
}

TEST_CASE("correct_bias: threads do not show, progress counts samples and layers") {
  Quantized one, three;
  size_t last = 0;
  CalibrateOptions options;
  options.progress = [&](size_t done) { last = std::max(last, done); };
  correct_bias(one, kSamples, sample, BiasCorrection::kMeasured, WeightRounding::kNearest, options);
  CHECK(last == kSamples + 4);
  options.progress = {};
  options.threads = 3;
  correct_bias(three, kSamples, sample, BiasCorrection::kMeasured, WeightRounding::kNearest, options);
  CHECK(biases(one.plan) == biases(three.plan));
}

TEST_CASE("correct_bias: samples that cannot be used are left out, none leaves the plan alone") {
  Quantized some, none;
  const SampleLoader half = [](size_t i) { return i % 2 == 0 ? sample(i / 2) : std::nullopt; };
  correct_bias(some, 2 * kSamples, half, BiasCorrection::kMeasured, WeightRounding::kNearest, {});
  CHECK(some.shift_of_outputs() < 1e-4);
  const auto before = biases(none.plan);
  const SampleLoader nothing = [](size_t) -> std::optional<std::vector<Tensor>> { return std::nullopt; };
  correct_bias(none, 5, nothing, BiasCorrection::kMeasured, WeightRounding::kFitted, {});
  CHECK(biases(none.plan) == before);
}

TEST_CASE("correct_bias: fitted weights keep the mean and lower the error, on any number of threads") {
  Quantized nearest(3), fitted(3), threads(3);
  correct_bias(nearest, kSamples, sample, BiasCorrection::kMeasured, WeightRounding::kNearest, {});
  correct_bias(fitted, kSamples, sample, BiasCorrection::kMeasured, WeightRounding::kFitted, {});
  CalibrateOptions options;
  options.threads = 3;
  correct_bias(threads, kSamples, sample, BiasCorrection::kMeasured, WeightRounding::kFitted, options);
  CHECK(fitted.shift_of_outputs() < 1e-4);
  CHECK(fitted.error_of_outputs() < 0.8 * nearest.error_of_outputs());
  CHECK(biases(fitted.plan) == biases(threads.plan));
}

TEST_CASE("correct_bias: in closed form, fitted weights lower the error, known codes stay") {
  Quantized nearest(3), fitted(3);
  correct_bias(fitted, kSamples, sample, BiasCorrection::kClosedForm, WeightRounding::kFitted, {});
  CHECK(fitted.error_of_outputs() < 0.9 * nearest.error_of_outputs());
  CHECK(biases(fitted.plan) != biases(nearest.plan));
  Quantized again = fitted;
  for (NodeId n : corrected_layers(again.plan)) {
    PlannedWeights& weights = *again.plan.nodes[static_cast<size_t>(n)].weights;
    const Tensor& exact = *again.graph.constant(again.graph.nodes[static_cast<size_t>(n)].inputs[1]);
    weights.codes = quantize_tensor(exact, weights.params);
  }
  const auto before = biases(again.plan);
  correct_bias(again, kSamples, sample, BiasCorrection::kClosedForm, WeightRounding::kFitted, {});
  CHECK(biases(again.plan) == before);
}

TEST_CASE("A staged run sees what a whole run computes") {
  const Quantized q;
  const Graph qdq = insert_qdq(q);
  std::vector<std::vector<Tensor>> samples{*sample(0), *sample(1)};
  StagedRun staged(qdq, best_kernels(), 2, samples);
  for (size_t n = 0; n < qdq.nodes.size(); ++n) {
    if (qdq.nodes[n].op_type != "Conv" && qdq.nodes[n].op_type != "MatMul") continue;
    staged.advance_to(n);
    const ValueId input = qdq.nodes[n].inputs[0];
    const GraphIndex index(qdq);
    const ValueId codes = qdq.nodes[static_cast<size_t>(index.producer(input))].inputs[0];
    Graph whole = qdq;
    whole.outputs = {codes};
    for (size_t s = 0; s < samples.size(); ++s)
      CHECK(staged.value(s, input).to_vector<int>() == Engine(whole, {}).run(samples[s])[0].to_vector<int>());
  }
  CHECK(StagedRun::bytes_at(qdq, {0}) == 3 * 12 * 12 * 4);
}
