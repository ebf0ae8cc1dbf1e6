// The search for the best plan: what is tried, what is kept, and how quality is judged.
#include "calibration/search/choose_plan.h"

#include <catch2/catch.hpp>
#include <set>

#include "calibration/search/correct_bias.h"
#include "calibration/search/layer_walk.h"
#include "calibration/statistics/budget.h"
#include "calibration/statistics/calibrator.h"
#include "calibration/statistics/decide_ranges.h"
#include "core/passes/passes.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/plan_quantization.h"
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
  return open_model(b.build({b.node("Gemm", {flat, b.random("w3", {8, 5}), b.random("b3", {5})})}));
}

std::optional<std::vector<Tensor>> sample(size_t i) {
  return std::vector<Tensor>{test::random_tensor({1, 3, 8, 8}, static_cast<uint32_t>(i + 1), -1, 2)};
}

ChosenPlan choose(const QuantizationScheme& scheme, const SampleSet& samples, int threads = 1,
                  const Bound& bound = {}) {
  const Graph graph = classifier();
  CalibrateOptions options;
  options.threads = threads;
  return choose_plan(graph, calibrate(graph, 32, sample, {}), {scheme, find_target("ort-x86"), bound},
                     samples, options);
}

SampleSet images(size_t held_back) {
  return {.count = 32, .load = sample, .held_back = held_back};
}

QuantizationScheme scheme_of(const std::string& method, int weight_bits = 8) {
  QuantizationScheme scheme;
  scheme.method = method;
  scheme.weights.num_bits = weight_bits;
  scheme.weight_rounding = WeightRounding::kFitted;
  return scheme;
}

std::vector<std::string> names(const ChosenPlan& chosen) {
  std::vector<std::string> result;
  for (const PlanStep& step : chosen.steps) result.push_back(step.name);
  return result;
}

}  // namespace

TEST_CASE("choose_plan: auto tries every step that applies, each from the best so far") {
  const ChosenPlan chosen = choose(scheme_of("auto", 4), images(8));
  CHECK(chosen.held_back == 8);
  std::set<std::string> unfit = {"equalized channels", "ranges of single values"};
  for (const PlanStep& step : chosen.steps)
    if (step.name == "fitted weights" && step.kept) unfit.insert("fitted weights and measured bias");
  std::vector<std::string> expected = {"ranges by mse, biases corrected"};
  for (const std::string& name : search_step_names())
    if (!unfit.contains(name)) expected.push_back(name);
  CHECK(names(chosen) == expected);
  std::optional<double> best;
  for (const PlanStep& step : chosen.steps) {
    CHECK(step.before.has_value() == (&step != &chosen.steps.front()));
    if (step.before) CHECK(step.before->sqnr_db() == best);
    if (step.before) CHECK((!step.kept || step.after.gain_over(*step.before) > 0));
    if (step.kept) best = step.after.sqnr_db();
  }
  CHECK(chosen.recipe.bias_correction != BiasCorrection::kOff);  // 4-bit weights shift every mean
}

TEST_CASE("choose_plan: a step that is to be left out is not tried, nor what combines it") {
  QuantizationScheme scheme = scheme_of("auto", 4);
  const auto tried = [&](const std::set<std::string>& without) {
    scheme.without = without;
    return names(choose(scheme, images(8)));
  };
  const std::vector<std::string> all = tried({}), known = search_step_names();
  for (size_t s = 1; s < all.size(); ++s) {
    INFO(all[s]);
    CHECK(std::count(known.begin(), known.end(), all[s]) == 1);
    const std::vector<std::string> left = tried({all[s]});
    CHECK(std::count(left.begin(), left.end(), all[s]) == 0);
    CHECK(left[0] == all[0]);
    if (all[s] == "fitted weights" || all[s] == "measured bias")
      CHECK(std::count(left.begin(), left.end(), "fitted weights and measured bias") == 0);
  }
  CHECK(tried({known.begin(), known.end()}) == std::vector<std::string>{all[0]});
}

TEST_CASE("choose_plan: what the plan says is what the last step kept was judged by") {
  const Graph graph = classifier();
  const ChosenPlan chosen = choose(scheme_of("auto", 4), images(8));
  std::vector<size_t> held_back;
  for (size_t i = 3; i < 32; i += 4) held_back.push_back(i);
  const Validator validator(graph, held_back, images(8), {});
  const Quality quality = validator.judge(insert_qdq(chosen.planned));
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
  CHECK(chosen.recipe.method == "entropy");
  CHECK(chosen.recipe.bias_correction == BiasCorrection::kMeasured);
}

TEST_CASE("choose_plan: what the confirming samples do not confirm is taken back") {
  SampleSet set = images(8);
  const ChosenPlan free = choose(scheme_of("auto", 4), set);
  set.confirming = 8;
  const ChosenPlan confirmed = choose(scheme_of("auto", 4), set);
  CHECK(free.confirming == 0);
  CHECK(confirmed.confirming == 8);
  set.load = [](size_t i) { return sample(i % 4 == 2 ? 2 : i); };  // the confirming ones are copies
  const ChosenPlan chosen = choose(scheme_of("auto", 4), set);
  size_t kept = 0, taken_back = 0;
  for (const PlanStep& step : chosen.steps) {
    CHECK((!step.kept || !step.taken_back));
    kept += step.kept;
    taken_back += step.taken_back;
  }
  CHECK(chosen.steps[0].kept);
  CHECK(taken_back > 0);  // eight copies of one sample tell nothing of chance
  CHECK(kept == 1);
  CHECK(chosen.recipe.method == kFallbackMethod);
  CHECK(chosen.recipe.weight_rounding == WeightRounding::kNearest);
  CHECK(chosen.quality->errors == chosen.steps[0].after.errors);
}

TEST_CASE("choose_plan: layers whose weights cost too much to fit are listed and left as they are") {
  CalibrateOptions options;
  options.budget.bytes = 0;
  const Graph graph = classifier();
  const ChosenPlan chosen =
      choose_plan(graph, calibrate(graph, 32, sample, {}), {scheme_of("auto", 4), find_target("ort-x86"), {}},
                  images(8), options);
  REQUIRE(chosen.left_out.size() == 3);
  for (const LeftOut& part : chosen.left_out) {
    CHECK(part.step == "fitted weights");
    CHECK(part.bytes > 0);
  }
  for (const PlannedNode& node : chosen.planned.plan.nodes)
    if (node.weights) CHECK(!node.weights->codes);
  CHECK(choose(scheme_of("auto", 4), images(8)).left_out.empty());
}

TEST_CASE(
    "Fitting leaves out what exceeds the bytes, and the most costly layers beyond the multiplications") {
  const Graph graph = classifier();
  const PlannedModel planned =
      plan_quantization(graph, decide_ranges(calibrate(graph, 4, sample, {}), scheme_of("mse"), 1),
                        scheme_of("mse", 4), find_target("ort-x86"));
  Budget budget;
  CHECK(too_costly_to_fit(planned, budget).empty());
  budget.macs = 0;
  const std::vector<TooCostly> all = too_costly_to_fit(planned, budget);
  REQUIRE(all.size() >= 2);
  for (size_t i = 0; i + 1 < all.size(); ++i) {  // the least costly first
    CHECK(all[i].cost.macs < all[i + 1].cost.macs);
    budget.macs += all[i].cost.macs;
  }
  const std::vector<TooCostly> most = too_costly_to_fit(planned, budget);
  REQUIRE(most.size() == 1);
  CHECK(most[0].node == all.back().node);
  budget = {.bytes = all.back().cost.bytes - 1, .macs = ~uint64_t{0}};
  CHECK(too_costly_to_fit(planned, budget).size() == 1);
}

TEST_CASE("The cost of fitting grows with the square of the inputs") {
  WeightLayout layout;
  layout.outputs = 10;
  layout.inputs = 90'000;
  CHECK(fit_cost(layout, 186).bytes > uint64_t{30} << 30);
  layout.inputs = 4096;
  CHECK(fit_cost(layout, 2048).bytes < Budget::kMostBytes);
  layout.inputs = 25'088;
  CHECK(fit_cost(layout, 668).bytes > Budget::kMostBytes);
}

TEST_CASE("choose_plan: bias correction that is off is not tried") {
  QuantizationScheme scheme = scheme_of("auto");
  scheme.bias_correction = BiasCorrection::kOff;
  const ChosenPlan chosen = choose(scheme, images(8));
  CHECK(chosen.recipe.bias_correction == BiasCorrection::kOff);
  CHECK(chosen.steps.size() == all_calibrators().size() + 1);  // ranges, and those by max without corrections
}

TEST_CASE("choose_plan: channels are equalized where that helps, or if asked for") {
  // Channels of very different size, which the weights behind them make alike again.
  Graph graph = classifier();
  const auto weights = [&](const char* name) {
    return graph.value(graph.find_value(name)).initializer.mutable_data<float>();
  };
  for (int64_t c = 0; c < 8; ++c) {
    const float factor = std::exp2(-static_cast<float>(c));
    for (int64_t i = 0; i < 27; ++i) weights("w1")[c * 27 + i] *= factor;
    weights("b1")[c] *= factor;
    for (int64_t o = 0; o < 8; ++o)
      for (int64_t i = 0; i < 9; ++i) weights("w2")[(o * 8 + c) * 9 + i] /= factor;
  }
  const auto choose_for = [&](const QuantizationScheme& scheme, const SampleSet& samples) {
    return choose_plan(graph, calibrate(graph, 32, sample, {}), {scheme, find_target("ort-x86"), {}}, samples,
                       {});
  };
  QuantizationScheme scheme = scheme_of("auto");
  scheme.max_noise = 1;
  scheme.equalization = Equalization::kTried;
  const ChosenPlan tried = choose_for(scheme, images(8));
  const PlanStep& step = tried.steps[all_calibrators().size() + 1];
  CHECK(step.name == "equalized channels");
  CHECK(step.changed == size_t{1});
  CHECK(step.kept);
  CHECK(tried.recipe.equalized);
  const auto has_equalized = [](const ChosenPlan& chosen) {
    return chosen.planned.graph.find_value("relu_1_out_equalized") != kNoValue;
  };
  CHECK(has_equalized(tried));
  CHECK(tried.steps.back().name == "ranges by max without corrections");

  scheme.method = "mse";
  CHECK(!has_equalized(choose_for(scheme, images(0))));  // nothing judges it
  scheme.equalization = Equalization::kOn;
  CHECK(has_equalized(choose_for(scheme, images(0))));
  CHECK_THROWS_WITH(choose_for(scheme, {}), Catch::Contains("give --calib"));
  scheme.per_channel_weights = false;
  CHECK(has_equalized(choose_for(scheme, images(0))));
}

TEST_CASE("choose_plan: without held-back samples all is done unseen") {
  const ChosenPlan all = choose(scheme_of("auto"), images(0));
  CHECK(all.steps.empty());
  CHECK(all.recipe.method == kFallbackMethod);
  CHECK(all.recipe.bias_correction == BiasCorrection::kClosedForm);
  CHECK(choose(scheme_of("max"), images(0)).recipe.bias_correction == BiasCorrection::kMeasured);
  CHECK(choose(scheme_of("auto"), {}).recipe.bias_correction == BiasCorrection::kClosedForm);
}

TEST_CASE("choose_plan: threads do not show") {
  const ChosenPlan one = choose(scheme_of("auto", 4), images(8)),
                   three = choose(scheme_of("auto", 4), images(8), 3);
  REQUIRE(one.steps.size() == three.steps.size());
  for (size_t i = 0; i < one.steps.size(); ++i)
    CHECK(one.steps[i].after.errors == three.steps[i].after.errors);
}

TEST_CASE("choose_plan: a bound is kept by as few float layers as it takes") {
  const QuantizationScheme scheme = scheme_of("mse", 3);
  const ChosenPlan free = choose(scheme, images(8));
  CHECK(free.bound_met);
  CHECK(free.put_back.empty());
  Bound bound;
  const ChosenPlan low = choose(scheme, images(8), 1, {.min_agreement = {}, .min_sqnr = 1.0, .max_drop = {}});
  CHECK(low.put_back.empty());
  REQUIRE(low.quality);
  bound.min_sqnr = *low.quality->sqnr_db() + 3;
  const ChosenPlan kept = choose(scheme, images(8), 1, bound);
  REQUIRE(kept.quality);
  CHECK(kept.bound_met);
  CHECK(kept.quality->sqnr_db() >= *bound.min_sqnr);
  CHECK_FALSE(kept.put_back.empty());
  CHECK(kept.put_back.size() < 3);
  const Graph graph = classifier();
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    for (const std::string& name : kept.put_back)
      if (graph.nodes[n].name == name)
        CHECK(kept.planned.plan.nodes[n].reason == "in float to meet the bound on the loss");
}

TEST_CASE("choose_plan: a bound that nothing keeps is not met") {
  const ChosenPlan chosen =
      choose(scheme_of("mse"), images(8), 1, {.min_agreement = {}, .min_sqnr = 2000.0, .max_drop = {}});
  CHECK_FALSE(chosen.bound_met);
}

TEST_CASE("Layers go back to float in order of harm, per multiply-accumulate or as it is") {
  const Graph graph = classifier();
  PlannedModel planned = choose(scheme_of("mse"), images(8)).planned;
  const std::vector<NodeId> layers = corrected_layers(planned.plan);
  REQUIRE(layers.size() == 3);
  std::vector<LayerSensitivity> measured;
  const double errors[] = {4, 8, 1};
  const uint64_t macs[] = {100, 1000, 10};
  for (size_t i = 0; i < 3; ++i) {
    measured.push_back({.node = layers[i], .alone = {}, .without = {}});
    measured[i].alone.errors = {errors[i]};
    planned.plan.nodes[static_cast<size_t>(layers[i])].macs = macs[i];
  }
  const auto name = [&](size_t i) { return graph.nodes[static_cast<size_t>(layers[i])].name; };
  CHECK(most_harmful_first(planned, measured, HarmPer::kMac) ==
        std::vector<std::string>{name(2), name(0), name(1)});
  CHECK(most_harmful_first(planned, measured, HarmPer::kLayer) ==
        std::vector<std::string>{name(1), name(0), name(2)});
}

TEST_CASE("fewest_put_back finds the fewest from the front, and says if none short of all do") {
  std::vector<std::string> order;
  for (int i = 0; i < 21; ++i) order.push_back("layer" + std::to_string(i));
  for (size_t needed = 0; needed < order.size(); ++needed) {
    const auto found = fewest_put_back(
        order, order.size() - 1, [&](const std::set<std::string>& nodes) { return nodes.size() >= needed; });
    REQUIRE(found);
    CHECK(*found == std::vector<std::string>(order.begin(), order.begin() + static_cast<ptrdiff_t>(needed)));
  }
  CHECK_FALSE(fewest_put_back(order, order.size() - 1,
                              [](const std::set<std::string>& nodes) { return nodes.size() == 21; }));
  CHECK_FALSE(fewest_put_back({}, 0, [](const std::set<std::string>&) { return false; }));
}

TEST_CASE("fewest_put_back leaves out what it holds without") {
  const auto found = fewest_put_back(
      {"a", "b", "c", "d", "e", "f"}, 5,
      [](const std::set<std::string>& nodes) { return nodes.contains("b") && nodes.contains("e"); });
  CHECK(found == std::vector<std::string>{"b", "e"});
}

TEST_CASE("Sensitivity: alone a layer does less harm than all, without it the rest does less") {
  const Graph graph = classifier();
  const RangeTable ranges = decide_ranges(calibrate(graph, 32, sample, {}), scheme_of("mse"), 1);
  const Planner planner = [&](const std::set<std::string>& nodes) {
    QuantizationScheme scheme = scheme_of("mse", 3);
    scheme.float_nodes = nodes;
    return plan_quantization(graph, ranges, scheme, find_target("ort-x86"));
  };
  const PlannedModel planned = planner({});
  const Validator validator(graph, {1, 2, 3}, images(3), {});
  std::vector<size_t> progress;
  const auto layers =
      measure_sensitivity(planned, planner, validator, true, [&](size_t done) { progress.push_back(done); });
  REQUIRE(layers.size() == 3);
  CHECK(progress == std::vector<size_t>{1, 2, 3});
  const double whole = *validator.judge(insert_qdq(planned)).sqnr_db();
  double worst_alone = 1e9, best_without = -1e9;
  for (const LayerSensitivity& layer : layers) {
    REQUIRE(layer.without);
    worst_alone = std::min(worst_alone, *layer.alone.sqnr_db());
    best_without = std::max(best_without, *layer.without->sqnr_db());
  }
  CHECK(worst_alone >= whole);
  CHECK(best_without > whole);
}
