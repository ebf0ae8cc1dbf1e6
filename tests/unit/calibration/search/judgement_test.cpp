// The judgement of one sample, by search and verify alike.
#include "calibration/search/judgement.h"

#include <catch2/catch.hpp>
#include <limits>

#include "tests/support/graph_builder.h"

using namespace quantize;

namespace {

Graph classifier() {
  test::GraphBuilder b;
  return b.build({b.node("Softmax", {b.input("x", {1, 4})})});
}

std::vector<Tensor> scores(const std::vector<float>& values) {
  return {Tensor::of<float>({1, 4}, values)};
}

}  // namespace

TEST_CASE("Top-1 is counted in percent of the labelled samples, its drop in points") {
  TopOne top1;
  CHECK(!top1.reference());
  CHECK(!top1.drop());
  top1.add({5, 4, 3});
  top1.add({3, 2, 2});
  CHECK(top1.reference() == 75.0);
  CHECK(top1.candidate() == 62.5);
  CHECK(top1.drop() == 12.5);
}

TEST_CASE("A sample is judged by its outputs, and by its label where it has one") {
  const Graph graph = classifier();
  Agreement agreement(graph, {});
  const std::vector<Tensor> reference = scores({0.1f, 0.5f, 0.3f, 0.1f}),
                            candidate = scores({0.1f, 0.2f, 0.6f, 0.1f});
  agreement.decide({reference[0]}, reference);
  const SampleJudgement plain = judge_sample(agreement, reference, candidate, {});
  REQUIRE(plain.outputs.size() == 1);
  REQUIRE(plain.shares.size() == 1);
  CHECK(plain.outputs[0].noise == Approx(0.09 + 0.09));
  CHECK(plain.top1.labelled == 0);
  CHECK(!plain.shift);
  const SampleJudgement labelled =
      judge_sample(agreement, reference, candidate, {.best_class = 2, .truth = {}});
  CHECK(labelled.top1.labelled == 1);
  CHECK(labelled.top1.reference_right == 0);
  CHECK(labelled.top1.candidate_right == 1);
  CHECK(labelled.shift == -1);
}

TEST_CASE("The worst output has the lowest SQNR, one that is not finite has none") {
  CHECK(worst_sqnr_db({}) == Deviation::kMaxDb);
  Deviation good, bad;
  good.add(10, 9.9);
  bad.add(10, 5);
  CHECK(worst_sqnr_db({good, bad}) == bad.sqnr_db());
  bad.add(std::numeric_limits<double>::infinity(), 1);
  CHECK(!worst_sqnr_db({good, bad}));
}

TEST_CASE("The median stands for most samples; what is not known counts as the worst") {
  CHECK(!median_of({}));
  CHECK(median_of({45.0, 1.0, 2.0, 0.0, 3.0}) == 2.0);
  CHECK(!median_of({std::nullopt, std::nullopt, 40.0}));
  CHECK(median_of({std::nullopt, 30.0, 40.0}) == 30.0);
}
