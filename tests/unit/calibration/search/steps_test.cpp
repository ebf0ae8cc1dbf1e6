// The list of search steps, and the plans that recipes make.
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <set>

#include "calibration/search/plan_maker.h"
#include "calibration/statistics/calibrator.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;

namespace {

Graph network() {
  test::GraphBuilder b;
  const ValueId flat = b.node("Flatten", {b.node("GlobalAveragePool", {b.input("x", {1, 3, 4, 4})})});
  return open_model(b.build({b.node("Gemm", {flat, b.random("w", {3, 5}), b.random("b", {5})})}));
}

std::optional<std::vector<Tensor>> sample(size_t i) {
  return std::vector<Tensor>{test::random_tensor({1, 3, 4, 4}, static_cast<uint32_t>(i + 1), -1, 2)};
}

}  // namespace

TEST_CASE("Search steps: every name stands once, with a description") {
  std::set<std::string> names;
  for (const SearchStep& step : all_search_steps()) {
    INFO(step.name);
    CHECK(names.insert(step.name).second);
    CHECK(!step.description.empty());
    CHECK(step.vary);
  }
  for (const SearchStep& step : all_search_steps())
    for (const std::string& part : step.combines) CHECK(names.contains(part));
}

TEST_CASE("Search steps: every calibrator is tried but the one that the search starts from") {
  const std::vector<std::string> names = search_step_names();
  for (const Calibrator* calibrator : all_calibrators()) {
    const std::string step = ranges_by(calibrator->name());
    INFO(step);
    CHECK((std::find(names.begin(), names.end(), step) == names.end()) ==
          (calibrator->name() == std::string(kFallbackMethod)));
  }
}

TEST_CASE("PlanMaker: adjustments change the finished plan, one after the other") {
  const Graph graph = network();
  const SampleSet set{.count = 4, .load = sample};
  const SamplePool pool(set, false, false);
  const QuantizationScheme scheme;
  const StatisticsTable statistics = calibrate(graph, 4, sample, {});
  PlanMaker maker(graph, statistics, scheme, find_target("native"), pool, {});
  std::vector<std::string> applied;
  Recipe recipe{.method = "max"};
  for (const std::string name : {"first", "second"})
    recipe.adjustments.push_back(
        {name, [&applied, name](PlanMaker& of, const Recipe&, PlannedModel& planned) {
           CHECK(planned.graph.nodes.size() == of.graph_of({}).nodes.size());
           applied.push_back(name);
         }});
  maker.plan(recipe);
  CHECK(applied == std::vector<std::string>{"first", "second"});
}

TEST_CASE("PlanMaker: a plan that others adjust is made once, whatever they do to it") {
  const Graph graph = network();
  std::atomic<size_t> loaded{0};
  const auto load = [&](size_t i) {
    ++loaded;
    return sample(i);
  };
  const SampleSet set{.count = 4, .load = load};
  const SamplePool pool(set, false, false);
  const QuantizationScheme scheme;
  const StatisticsTable statistics = calibrate(graph, 4, sample, {});
  PlanMaker maker(graph, statistics, scheme, find_target("native"), pool, {});
  Recipe recipe{.method = "max", .bias_correction = BiasCorrection::kMeasured};
  const auto scales = [](const PlannedModel& planned) {
    std::vector<float> all;
    for (const PlannedNode& node : planned.plan.nodes)
      if (node.weights)
        all.insert(all.end(), node.weights->params.scale.begin(), node.weights->params.scale.end());
    return all;
  };
  const std::vector<float> first = scales(maker.plan(recipe));
  REQUIRE(!first.empty());
  const size_t once = loaded;
  CHECK(once > 0);
  Recipe other = recipe;
  other.adjustments.push_back({"other scales", [](PlanMaker&, const Recipe&, PlannedModel& planned) {
                                 for (PlannedNode& node : planned.plan.nodes)
                                   if (node.weights) node.weights->params.scale[0] = 7;
                               }});
  CHECK(scales(maker.plan(other)) != first);
  CHECK(scales(maker.plan(recipe)) == first);
  CHECK(loaded == once);
  maker.plan(recipe, {.in_float = {graph.nodes[0].name}});  // another plan
  CHECK(loaded > once);
}
