// How the quality of a quantized network is judged.
#include "calibration/search/validator.h"

#include <catch2/catch.hpp>

#include <numeric>

#include "calibration/search/recipe.h"
#include "calibration/search/sensitivity.h"
#include "tests/support/graph_builder.h"

using namespace quantize;

namespace {

Graph classifier() {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId flat = b.node("Flatten", {b.node("GlobalAveragePool", {x})});
  return b.build({b.node("Gemm", {flat, b.random("w", {3, 5}), b.random("b", {5})})});
}

std::optional<std::vector<Tensor>> sample(size_t i) {
  return std::vector<Tensor>{test::random_tensor({1, 3, 8, 8}, static_cast<uint32_t>(i + 1), -1, 2)};
}

SampleSet images(size_t held_back) {
  return {.count = 32, .load = sample, .held_back = held_back};
}

/// Rows of a box, objectness and two scores, moved by as much as is given for each row.
Graph detector(const std::vector<float>& moved) {
  std::vector<float> all;
  for (const float by : moved) all.insert(all.end(), 7, by);
  test::GraphBuilder b;
  const auto rows = static_cast<int64_t>(moved.size());
  return b.build(
      {b.node("Add", {b.input("x", {1, rows, 7}), b.constant("moved", Tensor::of({1, rows, 7}, all))})});
}

}  // namespace

TEST_CASE("Quality: gains are counted in standard errors") {
  Quality a, b;
  a.errors = {1, 4, 9, 16};
  b.errors = {2.25, 6.25, 12.25, 20.25};
  CHECK(!a.gain_over(b));  // roots differ by the same everywhere
  CHECK(!b.gain_over(a));
  CHECK(a.gain_over(a) == 0.0);
  b.errors = {4, 1, 16, 25};  // roots: +1 -1 +1 +1: 0.5 on average, deviation 0.87, error 0.43
  REQUIRE(a.gain_over(b));
  CHECK(*a.gain_over(b) == Approx(0.5 / (std::sqrt(0.75) / 2)));
}

TEST_CASE("Quality: a gain is known and of an ordinary size, or it is not known") {
  Quality a, b;
  CHECK(a.gain_over(b).value_or(0) == 0);  // no sample
  a.errors = {1};
  b.errors = {4};
  CHECK(!a.gain_over(b));
  a.errors = {1, 1, 1, 1, 1};
  b.errors = {4, 4, 4, 4, 4 + 1e-12};  // nearly the same gain everywhere
  CHECK(!a.gain_over(b));
  for (const double spread : {1e-15, 1e-9, 1e-3, 1.0, 1e3}) {
    b.errors[1] = 4 + spread;
    CHECK(std::abs(a.gain_over(b).value_or(0)) <= Quality::kMostGain);
  }
}

TEST_CASE("Quality: what is not finite is no gain") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Quality broken, whole;
  broken.errors = {kInfinity, 1, 2, 3};
  whole.errors = {9, 9, 9, 12};
  CHECK(broken.gain_over(whole) == -Quality::kMostGain);
  CHECK(whole.gain_over(broken) == Quality::kMostGain);
  Quality worse = broken;
  worse.errors = {kInfinity, 4, 5, 7};
  REQUIRE(broken.gain_over(worse));
  CHECK(*broken.gain_over(worse) > 0);  // by the samples that are finite in both
  broken.errors.assign(4, kInfinity);
  CHECK(broken.gain_over(broken).value_or(0) == 0);
  broken.channel_errors.assign(4, {kInfinity, 1});
  whole.channel_errors.assign(4, {1, 1});
  CHECK(broken.worsens_a_channel_of(whole));
  CHECK(!whole.worsens_a_channel_of(broken));
  CHECK(!broken.worsens_a_channel_of(broken));
}

TEST_CASE("Bound: a figure that is not known keeps no bound") {
  Quality quality;
  const Bound agreement{.min_agreement = 0.0, .min_sqnr = {}, .max_drop = {}},
      sqnr{.min_agreement = {}, .min_sqnr = -1000.0, .max_drop = {}},
      drop{.min_agreement = {}, .min_sqnr = {}, .max_drop = 100.0};
  CHECK(!agreement.holds(quality));
  CHECK(!drop.holds(quality));
  quality.outputs.emplace_back().non_finite = 1;
  CHECK(!quality.sqnr_db());
  CHECK(!sqnr.holds(quality));
}

TEST_CASE("Quality: one channel can get much worse while all together gain") {
  Quality before, after;
  for (int s = 0; s < 12; ++s) {
    const double noise = 0.01 * (s % 3);
    before.channel_errors.push_back({10 + noise, 0.1 + noise});
    after.channel_errors.push_back({5 + noise, 0.25 + noise});
  }
  CHECK(after.worsens_a_channel_of(before));
  CHECK(!before.worsens_a_channel_of(before));
  for (auto& sample : after.channel_errors)
    sample[1] -= 0.13;  // 0.12 + noise for 0.1 + noise: not by a quarter
  CHECK(!after.worsens_a_channel_of(before));
  for (size_t s = 0; s < 12; ++s) after.channel_errors[s][1] = s == 0 ? 2 : 0.1;  // once is chance
  CHECK(!after.worsens_a_channel_of(before));
}

TEST_CASE("Validator: the float network is identical to itself; bad samples are left out") {
  const Graph graph = classifier();
  SampleSet set = images(4);
  set.load = [](size_t i) { return i == 2 ? std::nullopt : sample(i); };
  set.label = [](size_t i) -> std::optional<int64_t> {
    if (i == 0) return std::nullopt;
    return 99;  // no class
  };
  const Validator validator(graph, {0, 1, 2, 3}, set, {});
  CHECK(validator.samples() == 3);
  const Quality quality = validator.judge(graph);
  CHECK(quality.sqnr_db() == Deviation::kMaxDb);
  CHECK(quality.agreement() == 100.0);
  CHECK(quality.errors == std::vector<double>{0, 0, 0});
  CHECK(quality.top1.labelled == 2);
  CHECK(quality.top1.reference_right == 0);
  CHECK(quality.top1.drop() == 0.0);
}

TEST_CASE("Validator: a sample that alone overflows is rejected") {
  test::GraphBuilder b;
  const Graph graph = b.build({b.node("Exp", {b.input("x", {1, 4})})});
  SampleSet set;
  set.count = 5;
  set.load = [](size_t i) {
    return std::optional(std::vector{Tensor::of<float>({1, 4}, std::vector<float>(4, i == 2 ? 1000 : 1))});
  };
  std::vector<size_t> rejected;
  set.reject = [&](size_t i, const std::string&) { rejected.push_back(i); };
  const Validator validator(graph, {0, 2, 3, 4}, set, {});
  CHECK(rejected == std::vector<size_t>{2});
  CHECK(validator.samples() == 3);
}

TEST_CASE("Validator: rows that only fill the last batch do not count") {
  test::GraphBuilder b;
  const Graph graph = b.build({b.node("Identity", {b.input("x", {2, 2})})});
  const auto batch = [](size_t i) {
    return std::optional(std::vector{Tensor::of<float>(
        {2, 2}, i == 0 ? std::vector<float>{1, 2, 3, 4} : std::vector<float>{5, 6, 100, 100})});
  };
  const SampleSet set{.count = 2, .load = batch, .held_back = 2, .batch = 2, .samples = 3};
  test::GraphBuilder other;
  const Graph moved = other.build(
      {other.node("Add", {other.input("x", {2, 2}), other.constant("c", Tensor::of<float>({1}, {1}))})});
  const Quality quality = Validator(graph, {0, 1}, set, {}).judge(moved);
  REQUIRE(quality.outputs.size() == 1);
  CHECK(quality.outputs[0].signal == 1 + 4 + 9 + 16 + 25 + 36);
  CHECK(quality.outputs[0].noise == 6);
}

TEST_CASE("Quality: doubts are told of a result that most samples disagree with, not of a good one") {
  Quality quality;
  const Graph graph = classifier();
  quality.tasks = {
      {.task = decide_tasks(graph, {}, {Tensor(DataType::kF32, {1, 5})}, {})[0], .agreement = 90.0}};
  quality.sample_sqnrs = {30.0, 31.0, 5.0};
  CHECK(doubts_about(quality).empty());
  quality.tasks[0].agreement = 20.0;
  REQUIRE(doubts_about(quality).size() == 1);
  CHECK_THAT(doubts_about(quality)[0], Catch::Contains("20 %"));
  quality.sample_sqnrs = {45.0, 1.0, 2.0};
  CHECK(doubts_about(quality).size() == 2);
}

TEST_CASE("Validator: of detections, rows without an object are no error") {
  SampleSet set;
  set.count = 3;
  set.tasks = parse_tasks({"detection"});
  set.load = [](size_t i) {
    const float x = 20 + static_cast<float>(i);
    std::vector<float> rows(size_t{8} * 7, 0.01f);
    const float object[] = {x, 20, 10, 10, 0.9f, 0.8f, 0.1f};
    std::copy(std::begin(object), std::end(object), rows.begin() + 14);
    return std::optional(std::vector{Tensor::of({1, 8, 7}, rows)});
  };
  const Validator validator(detector(std::vector<float>(8, 0)), {0, 1, 2}, set, {});
  const Quality of_nothing = validator.judge(detector({0.01f, 0.01f, 0, 0.01f, 0, 0, 0.01f, 0}));
  CHECK(of_nothing.errors == std::vector<double>{0, 0, 0});
  CHECK(of_nothing.sqnr_db() < 100.0);  // which has every row
  const Quality of_object = validator.judge(detector({0, 0, 0.01f, 0, 0, 0, 0, 0}));
  CHECK(of_object.errors[0] > 0);
}

namespace {

/// The classifier whose weights are moved by up to `error`, some up and some down.
Graph moved_classifier(float error, uint32_t seed) {
  Graph graph = classifier();
  const Tensor moves = test::random_tensor({3, 5}, seed, -error, error);
  float* weights = graph.value(graph.find_value("w")).initializer.mutable_data<float>();
  for (int64_t i = 0; i < moves.size(); ++i) weights[i] += moves.data<float>()[i];
  return graph;
}

}  // namespace

TEST_CASE("Validator: a network without a chance is judged by a quarter of the samples, a good one by all") {
  const Graph graph = classifier();
  const SampleSet set{.count = 64, .load = sample, .held_back = 64};
  std::vector<size_t> all(64);
  std::iota(all.begin(), all.end(), size_t{0});
  for (const int threads : {1, 3}) {
    CalibrateOptions options;
    options.threads = threads;
    const Validator validator(graph, all, set, options);
    const Quality best = validator.judge(moved_classifier(0.01f, 1));
    CHECK(best.judged == all);
    const Quality hopeless = validator.judge(moved_classifier(0.2f, 2), {best, kAnyGain});
    REQUIRE(hopeless.judged.size() == 16);
    for (size_t i = 0; i < 16; ++i) CHECK(hopeless.judged[i] / 4 == i);  // evenly spread
    const Quality whole = validator.judge(moved_classifier(0.2f, 2));
    for (size_t i = 0; i < 16; ++i) CHECK(hopeless.errors[i] == whole.errors[hopeless.judged[i]]);
    CHECK(*hopeless.gain_over(best) < 0);
    for (const float error : {0.005f, 0.01f}) {
      const Graph near = moved_classifier(error, 3);
      const Quality raced = validator.judge(near, {best, kAnyGain}), judged = validator.judge(near);
      CHECK(raced.judged == all);
      CHECK(raced.errors == judged.errors);
      CHECK(raced.sqnr_db() == judged.sqnr_db());
    }
  }
}

TEST_CASE("Validator: a network that falls back later is judged by half of the samples") {
  // The rival is a little worse on samples 3, 7, 11, ..., the first quarter, and much better on all others.
  test::GraphBuilder b;
  const Graph graph = b.build({b.node("Identity", {b.input("x", {1, 4})})});
  const auto load = [](size_t i) {
    return std::optional(
        std::vector<Tensor>{test::random_tensor({1, 4}, static_cast<uint32_t>(i + 1), 1, 2)});
  };
  std::vector<size_t> all(64);
  std::iota(all.begin(), all.end(), size_t{0});
  const SampleSet set{.count = 64, .load = load, .held_back = 64};
  const Validator validator(graph, all, set, {});
  const auto off_by = [](float by) {
    test::GraphBuilder builder;
    return builder.build({builder.node(
        "Mul", {builder.input("x", {1, 4}), builder.constant("k", Tensor::of<float>({1}, {1 + by}))})});
  };
  Quality rival = validator.judge(off_by(0.01f));
  for (size_t i = 0; i < 64; ++i) rival.errors[i] *= i % 4 == 3 ? 0.9 + 0.01 * static_cast<double>(i) : 1e-4;
  CHECK(validator.judge(off_by(0.01f), {rival, kAnyGain}).judged.size() == 32);
}

TEST_CASE("Validator: what the float network computes of a sample is not computed again where it is known") {
  const Graph graph = classifier();
  const std::vector<size_t> held_back{1, 2};
  FloatOutputs outputs(held_back, 1 << 20);
  const Tensor known = Tensor::of<float>({1, 5}, {1, 2, 3, 4, 5});
  outputs.add(2, {known});
  SampleSet set = images(2);
  set.outputs = &outputs;
  const Validator validator(graph, held_back, set, {});
  const Quality quality = validator.judge(graph);
  REQUIRE(quality.errors.size() == 2);
  CHECK(quality.errors[0] == 0);
  CHECK(quality.errors[1] > 0);  // the network computes something else
}

TEST_CASE("Validator: few samples judge together") {
  const Graph graph = classifier();
  const std::vector<size_t> few{0, 1, 2, 3, 4, 5, 6, 7};
  const Validator validator(graph, few, images(8), {});
  const Quality best = validator.judge(moved_classifier(0.01f, 1));
  CHECK(validator.judge(moved_classifier(0.5f, 2), {best, kClearGain}).judged == few);
}
