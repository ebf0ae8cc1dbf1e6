// The search for the best plan: what is tried, what is kept, and how quality is judged.
#include "calibration/choose_plan.h"

#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "core/quantization/insert_qdq.h"
#include "tests/support/graph_builder.h"

using namespace quantize;

namespace {

using List = std::vector<int64_t>;

/// Conv -> Relu -> Conv -> GlobalAveragePool -> Flatten -> Gemm.
Graph classifier() {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId a = b.node("Relu", {b.node("Conv", {x, b.random("w1", {8, 3, 3, 3}), b.random("b1", {8})},
                                           {{"pads", List{1, 1, 1, 1}}})});
  const ValueId c = b.node("Conv", {a, b.random("w2", {8, 8, 3, 3}), b.random("b2", {8})});
  const ValueId flat = b.node("Flatten", {b.node("GlobalAveragePool", {c})});
  return prepare(b.build({b.node("Gemm", {flat, b.random("w3", {8, 5}), b.random("b3", {5})})}));
}

std::optional<std::vector<Tensor>> sample(size_t i) {
  return std::vector<Tensor>{test::random_tensor({1, 3, 8, 8}, static_cast<uint32_t>(i + 1), -1, 2)};
}

ChosenPlan choose(const QuantizationScheme& scheme, const SampleSet& samples, int threads = 1) {
  const Graph graph = classifier();
  CalibrateOptions options;
  options.threads = threads;
  return choose_plan(graph, calibrate(graph, 32, sample, {}), scheme, find_target("ort-x86"), samples,
                     options);
}

SampleSet images(size_t held_back) {
  return {.count = 32, .load = sample, .held_back = held_back};
}

QuantizationScheme scheme_of(const std::string& method, int weight_bits = 8) {
  QuantizationScheme scheme;
  scheme.method = method;
  scheme.weights.num_bits = weight_bits;
  return scheme;
}

std::vector<std::string> names(const ChosenPlan& chosen) {
  std::vector<std::string> result;
  for (const PlanStep& step : chosen.steps) result.push_back(step.name);
  return result;
}

}  // namespace

TEST_CASE("choose_plan: auto tries every method, each from the best so far") {
  const ChosenPlan chosen = choose(scheme_of("auto", 4), images(8));
  CHECK(chosen.held_back == 8);
  CHECK(names(chosen) == std::vector<std::string>{"ranges by max", "bias correction, closed form",
                                                  "ranges by mse", "ranges by percentile",
                                                  "ranges by entropy", "ranges by mean",
                                                  "bias correction, measured"});
  double best = 1e9;
  for (const PlanStep& step : chosen.steps) {
    CHECK(step.before.has_value() == (&step != &chosen.steps.front()));
    if (step.before) CHECK(step.before->sqnr_db() == best);
    if (step.before) CHECK((!step.kept || step.after.gain_over(*step.before) > 0));
    if (step.kept) best = step.after.sqnr_db();
  }
  CHECK(chosen.bias_correction != BiasCorrection::kOff);  // 4-bit weights shift every mean
}

TEST_CASE("choose_plan: what the plan says is what the last step kept was judged by") {
  const Graph graph = classifier();
  const ChosenPlan chosen = choose(scheme_of("auto", 4), images(8));
  std::vector<size_t> held_back;
  for (size_t i = 3; i < 32; i += 4) held_back.push_back(i);
  const Validator validator(graph, held_back, sample, {});
  const Quality quality = validator.judge(insert_qdq(graph, chosen.plan));
  const PlanStep* last = nullptr;
  for (const PlanStep& step : chosen.steps)
    if (step.kept) last = &step;
  REQUIRE(last != nullptr);
  CHECK(quality.errors == last->after.errors);
}

TEST_CASE("choose_plan: a method by name is not questioned") {
  const ChosenPlan chosen = choose(scheme_of("entropy"), images(8));
  CHECK(chosen.steps.empty());
  CHECK(chosen.held_back == 0);
  CHECK(chosen.method == "entropy");
  CHECK(chosen.bias_correction == BiasCorrection::kMeasured);
}

TEST_CASE("choose_plan: bias correction that is off is not tried") {
  QuantizationScheme scheme = scheme_of("auto");
  scheme.bias_correction = BiasCorrection::kOff;
  const ChosenPlan chosen = choose(scheme, images(8));
  CHECK(chosen.bias_correction == BiasCorrection::kOff);
  CHECK(chosen.steps.size() == 5);
}

TEST_CASE("choose_plan: without held-back samples all is done unseen") {
  const ChosenPlan all = choose(scheme_of("auto"), images(0));
  CHECK(all.steps.empty());
  CHECK(all.method == kFallbackMethod);
  CHECK(all.bias_correction == BiasCorrection::kMeasured);
  CHECK(choose(scheme_of("auto"), {}).bias_correction == BiasCorrection::kClosedForm);
}

TEST_CASE("choose_plan: threads do not show") {
  const ChosenPlan one = choose(scheme_of("auto", 4), images(8)),
                   three = choose(scheme_of("auto", 4), images(8), 3);
  REQUIRE(one.steps.size() == three.steps.size());
  for (size_t i = 0; i < one.steps.size(); ++i)
    CHECK(one.steps[i].after.errors == three.steps[i].after.errors);
}

TEST_CASE("Quality: gains are counted in standard errors") {
  Quality a, b;
  a.errors = {1, 2, 3, 4};
  b.errors = {1.5, 2.5, 3.5, 4.5};
  CHECK(a.gain_over(b) > 1e6);  // the same everywhere
  CHECK(b.gain_over(a) < -1e6);
  CHECK(a.gain_over(a) == 0);
  b.errors = {2, 1, 4, 5};  // +1 -1 +1 +1: 0.5 on average, deviation 0.87, error 0.43
  CHECK(a.gain_over(b) == Approx(0.5 / (std::sqrt(0.75) / 2)));
}

TEST_CASE("Validator: the float network is identical to itself; bad samples are left out") {
  const Graph graph = classifier();
  const Validator validator(graph, {0, 1, 2, 3}, [](size_t i) { return i == 2 ? std::nullopt : sample(i); },
                            {});
  CHECK(validator.samples() == 3);
  const Quality quality = validator.judge(graph);
  CHECK(quality.sqnr_db() == Deviation::kMaxDb);
  CHECK(quality.agreement() == 100);
  CHECK(quality.errors == std::vector<double>{0, 0, 0});
}
