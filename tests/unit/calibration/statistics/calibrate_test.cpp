// The calibration run: what is observed, and that neither threads nor shards show in the result.
#include <catch2/catch.hpp>
#include <limits>
#include <map>
#include <set>

#include "calibration/statistics/calibrate.h"
#include "calibration/statistics/statistics_collector.h"
#include "core/engine/engine.h"
#include "core/engine/steps/step.h"
#include "core/error.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;

namespace {

using List = std::vector<int64_t>;

/// x -> Conv 3x3 -> Relu -> MaxPool -> Flatten -> Gemm, and a Relu of x whose input has a second reader.
Graph small_net() {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 8, 8});
  const ValueId conv = b.node("Conv", {x, b.random("w", {3, 2, 3, 3}), b.random("b", {3})},
                              {{"pads", List{1, 1, 1, 1}}, {"strides", List{2, 2}}});
  const ValueId relu = b.node("Relu", {conv});
  const ValueId point = b.node("Conv", {relu, b.random("w1", {4, 3, 1, 1})});
  const ValueId flat = b.node("Flatten", {point});
  const ValueId y = b.node("Gemm", {flat, b.random("w2", {64, 5})});
  Graph graph = b.build({y, point});
  infer_shapes(graph);
  return graph;
}

std::optional<std::vector<Tensor>> sample(size_t i) {
  return std::vector<Tensor>{
      test::random_tensor({1, 2, 8, 8}, static_cast<uint32_t>(i + 1), -1, static_cast<float>(i + 1))};
}

StatisticsTable run(const Graph& graph, size_t first, size_t count, int threads) {
  return calibrate(
      graph, count, [&](size_t i) { return sample(first + i); },
      {.threads = threads, .kernels = nullptr, .preprocessing = "none", .order = {first}, .progress = {}});
}

}  // namespace

TEST_CASE("Every float value is observed but those fused away") {
  const Graph graph = small_net();
  const StatisticsTable table = run(graph, 0, 3, 1);
  std::vector<std::string> names;
  for (const auto& [name, value] : table.values) names.push_back(name);
  std::vector<std::string> expected{"conv_2_out", "flatten_3_out", "gemm_4_out", "relu_1_out", "x"};
  if (!engine_form_of(graph.nodes[0]).fuses_clamp) expected.insert(expected.begin(), "conv_0_out");
  CHECK(names == expected);
  CHECK(table.samples == 3);
  CHECK(table.values.at("x").samples == 3);
  CHECK(table.values.at("x").histogram.total() == 3 * 128);
  CHECK(table.values.at("relu_1_out").min == 0);
  CHECK(table.values.at("relu_1_out").channels.size() == 3);
  CHECK(table.values.at("gemm_4_out").channels.size() == 5);
}

TEST_CASE("Taps are collected of convolutions whose taps differ") {
  const StatisticsTable table = run(small_net(), 0, 2, 1);
  REQUIRE(table.taps.size() == 1);
  const TapStatistics& taps = table.taps.at("conv_0_out");
  CHECK(taps.taps == 9);
  CHECK(taps.samples == 2);
  CHECK(taps.mean_sums.size() == 18);
}

TEST_CASE("A value in front of a Relu is observed where something else reads it") {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 4, 4});
  const ValueId conv = b.node("Conv", {x, b.random("w", {2, 2, 1, 1})});
  Graph graph = b.build({b.node("Add", {b.node("Relu", {conv}), conv})});
  infer_shapes(graph);
  CHECK(values_to_observe(graph)[static_cast<size_t>(conv)]);
}

TEST_CASE("Threads and shards do not show in the statistics") {
  const Graph graph = small_net();
  const StatisticsTable expected = run(graph, 0, 12, 1);
  for (int threads : {2, 3, 8}) CHECK(run(graph, 0, 12, threads) == expected);
  StatisticsTable merged = run(graph, 7, 5, 2);
  merged.add(run(graph, 0, 3, 1));
  merged.add(run(graph, 3, 4, 1));
  CHECK(merged == expected);
}

TEST_CASE("Skipped samples leave no trace") {
  const Graph graph = small_net();
  const auto skip_odd = [](size_t i) { return i % 2 == 1 ? std::nullopt : sample(i / 2); };
  CalibrateOptions options;
  options.preprocessing = "none";
  std::vector<size_t> progress;
  options.progress = [&](size_t done) { progress.push_back(done); };
  const StatisticsTable table = calibrate(graph, 6, skip_odd, options);
  options.order.step = 2;
  options.progress = {};
  CHECK(table == calibrate(graph, 3, sample, options));
  CHECK(progress == std::vector<size_t>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("Calibration without a usable sample is an error") {
  const Graph graph = small_net();
  CHECK_THROWS_WITH(calibrate(graph, 0, sample, {}), Catch::Contains("no sample"));
  CHECK_THROWS_AS(calibrate(graph, 2, [](size_t) { return std::nullopt; }, {}), Error);
}

TEST_CASE("The progress callback can end the run") {
  CalibrateOptions options;
  options.threads = 2;
  options.progress = [](size_t done) {
    if (done == 2) throw Error(ErrorKind::kInterrupted, "interrupted");
  };
  CHECK_THROWS_WITH(calibrate(small_net(), 1000, sample, options), "interrupted");
}

TEST_CASE("A network that makes NaN is noticed") {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {2});
  Graph graph = b.build({b.node("Div", {x, x})});
  infer_shapes(graph);
  const auto load = [](size_t) { return std::vector{Tensor::of<float>({2}, {0, 1})}; };
  const StatisticsTable table = calibrate(graph, 2, load, {});
  CHECK(table.values.at("div_0_out").non_finite == 2);
  CHECK(table.values.at("div_0_out").samples == 0);
  CHECK(table.values.at("x").non_finite == 0);
}

TEST_CASE("A sample that overflows inside the network is rejected and leaves no trace") {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 4});
  Graph graph = b.build({b.node("Exp", {x})});
  infer_shapes(graph);
  const auto numbers = [](size_t i) {
    return std::vector{
        Tensor::of<float>({1, 4}, std::vector<float>(4, i == 3 ? 1000 : 0.1f * static_cast<float>(i)))};
  };
  std::map<size_t, std::string> rejected;
  const auto load = [&](size_t i) { return rejected.contains(i) ? std::nullopt : std::optional(numbers(i)); };
  CalibrateOptions options;
  options.threads = 2;
  SampleCensus census;
  options.census = &census;
  options.reject = [&](size_t i, const std::string& reason) { rejected[i] = reason; };
  const StatisticsTable table = calibrate(graph, 8, load, options);
  REQUIRE(rejected.size() == 1);
  CHECK_THAT(rejected.at(3), Catch::Contains("exp_0_out"));
  CHECK(table.samples == 7);
  CHECK(table == calibrate(graph, 8, load, {}));
  for (const auto& [name, value] : table.values) CHECK(value.non_finite == 0);
}

TEST_CASE("Constants that are not finite are told of where they do harm") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity(),
                  kNan = std::numeric_limits<float>::quiet_NaN();
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 2});
  const ValueId nan = b.node("Add", {x, b.constant("with_nan", Tensor::of<float>({2}, {1, kNan}))});
  const Graph graph =
      b.build({nan, b.node("Min", {x, b.constant("open", Tensor::of<float>({1}, {kInfinity}))})});
  StatisticsTable table;
  std::vector<std::string> doubts = doubts_about_constants(graph, table);
  REQUIRE(doubts.size() == 1);
  CHECK_THAT(doubts[0], Catch::Contains("'with_nan' holds NaN"));
  table.values["v"].non_finite = 1;
  doubts = doubts_about_constants(graph, table);
  REQUIRE(doubts.size() == 2);
  CHECK_THAT(doubts[0], Catch::Contains("'open' holds infinite"));
}

TEST_CASE("Statistics of different origin do not add up") {
  const Graph graph = small_net();
  StatisticsTable table = run(graph, 0, 1, 1);
  StatisticsTable other = table;
  other.model = "0";
  CHECK_THROWS_WITH(table.add(other), Catch::Contains("another model"));
  other.model = table.model;
  other.preprocessing = "imagenet";
  CHECK_THROWS_WITH(table.add(other), Catch::Contains("none instead of imagenet"));
  CHECK_NOTHROW(check_origin(table, fingerprint(graph), "none"));
}

TEST_CASE("A fingerprint changes with what a graph computes") {
  const Graph graph = small_net();
  CHECK(fingerprint(graph) == fingerprint(small_net()));
  CHECK(fingerprint(graph).size() == 16);
  const auto differs = [&](auto&& change) {
    Graph changed = graph;
    change(changed);
    return fingerprint(changed) != fingerprint(graph);
  };
  CHECK(differs([](Graph& g) { g.nodes[0].attributes["pads"] = List{1, 1, 1, 0}; }));
  CHECK(differs([](Graph& g) { g.nodes[1].op_type = "Sigmoid"; }));
  CHECK(differs([](Graph& g) { g.value(g.nodes[4].outputs[0]).name = "other"; }));
  CHECK(differs([](Graph& g) { g.info.opsets[""] = 14; }));
  CHECK(differs([](Graph& g) { g.outputs.pop_back(); }));
  CHECK(differs([](Graph& g) {
    Tensor w = Tensor::of<float>({3}, {1, 2, 3});
    g.value(g.nodes[0].inputs[2]).initializer = w;
  }));
  CHECK_FALSE(differs([](Graph& g) { g.info.doc_string = "new"; }));
}

TEST_CASE("What the network computes of chosen samples is kept, for any number of threads") {
  const Graph graph = small_net();
  for (const int threads : {1, 3}) {
    FloatOutputs outputs({0, 2}, 1 << 20);
    CalibrateOptions options;
    options.threads = threads;
    options.outputs = &outputs;
    calibrate(graph, 4, sample, options);
    const std::vector<Tensor> expected = Engine(graph, {}).run(*sample(2));
    CHECK(outputs.find(1) == nullptr);
    REQUIRE(outputs.find(2) != nullptr);
    REQUIRE(outputs.find(2)->size() == expected.size());
    for (size_t i = 0; i < expected.size(); ++i)
      CHECK((*outputs.find(2))[i].to_vector<float>() == expected[i].to_vector<float>());
  }
}

TEST_CASE("Parts by number add up to the whole, those without a sample too") {
  const Graph graph = small_net();
  const StatisticsTable whole = run(graph, 0, 7, 2);
  StatisticsTable sum;
  for (const auto& [begin, count] : {std::pair<size_t, size_t>{0, 3}, {3, 0}, {3, 4}}) {
    CalibrateOptions options;
    options.begin = begin;
    options.is_part = true;
    options.preprocessing = "none";
    const StatisticsTable part = calibrate(graph, count, sample, options);
    begin == 0 ? void(sum = part) : sum.add(part);
  }
  CHECK(sum == whole);
  CHECK_THROWS_AS(calibrate(graph, 0, sample, {}), Error);
}

TEST_CASE("Others may say which values overflow: only samples with these are rejected") {
  const Graph graph = small_net();
  std::set<size_t> rejected;
  const auto load = [&](size_t i) -> std::optional<std::vector<Tensor>> {
    if (rejected.contains(i)) return std::nullopt;
    std::vector<Tensor> inputs = *sample(i);
    if (i == 1) inputs[0].mutable_data<float>()[0] = 1e30F;
    return inputs;
  };
  const auto run_with = [&](const std::set<std::string>& overflowing) {
    rejected.clear();
    CalibrateOptions options;
    options.overflowing = &overflowing;
    options.reject = [&](size_t i, const std::string&) { rejected.insert(i); };
    return calibrate(graph, 4, load, options);
  };
  const StatisticsTable kept = run_with({"none of these"});
  CHECK(rejected.empty());
  CHECK(kept.values.at("x").samples == 3);
  CHECK(kept.values.at("x").non_finite == 1);
  const StatisticsTable without = run_with({"x"});
  CHECK(rejected == std::set<size_t>{1});
  CHECK(without.values.at("x").non_finite == 0);
}
