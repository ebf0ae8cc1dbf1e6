#include <catch2/catch.hpp>

#include "calibration/tasks/average_precision.h"

using namespace quantize;

namespace {

Box found(double x, double score, size_t label = 0, double height = 10) {
  return {.x1 = x, .y1 = 0, .x2 = x + 10, .y2 = height, .score = score, .label = label};
}

TruthBox truth(double x, size_t label = 0, bool crowd = false) {
  TruthBox box;
  static_cast<Box&>(box) = found(x, 0, label);
  box.crowd = crowd;
  return box;
}

}  // namespace

TEST_CASE("Average precision: the best precision at 101 recalls") {
  // Right, wrong, right: recalls 0.5, 0.5, 1 and precisions 1, 1/2, 2/3; 51 recalls at 1, 50 at 2/3.
  const AveragePrecision ap =
      average_precision({{{found(0, 0.9), found(50, 0.8), found(100, 0.7)}, {truth(0), truth(100)}}});
  CHECK(ap.at_50.value() == Approx((51 + 50 * 2.0 / 3) / 101));
  CHECK(ap.at_50_to_95.value() == Approx(*ap.at_50));
}

TEST_CASE("Average precision: ten overlaps, scores of all samples in one order") {
  // An overlap of 0.72 is enough for 0.5, 0.55, 0.6, 0.65 and 0.7.
  const AveragePrecision ap = average_precision({{{found(0, 0.9, 0, 7.2)}, {truth(0)}}});
  CHECK(ap.at_50 == 1.0);
  CHECK(ap.at_50_to_95.value() == Approx(0.5));
  // The wrong box of the second sample has the higher score: precision 1/2 at every recall.
  CHECK(average_precision({{{found(0, 0.5)}, {truth(0)}}, {{found(0, 0.9)}, {}}}).at_50.value() ==
        Approx(0.5));
}

TEST_CASE("Average precision: each labelled box is found once, by the best box that overlaps it enough") {
  const AveragePrecision twice =
      average_precision({{{found(0, 0.9), found(1, 0.8)}, {truth(0), truth(100)}}});
  CHECK(twice.at_50.value() == Approx(51.0 / 101));
}

TEST_CASE("Average precision: a box inside a crowd is neither right nor wrong") {
  const std::vector<TruthBox> labels = {truth(50, 0, true), truth(0)};
  CHECK(average_precision({{{found(50, 0.9), found(52, 0.8), found(0, 0.7)}, labels}}).at_50 == 1.0);
  CHECK(average_precision({{{found(200, 0.9), found(0, 0.7)}, labels}}).at_50.value() == Approx(0.5));
}

TEST_CASE("Average precision: classes count alike, those without labels not at all") {
  const AveragePrecision ap =
      average_precision({{{found(0, 0.9, 1), found(0, 0.8, 7)}, {truth(0, 1), truth(0, 2)}}});
  CHECK(ap.at_50 == 0.5);
  CHECK_FALSE(average_precision({{{found(0, 0.9)}, {}}}).at_50);
  CHECK_FALSE(average_precision({}).at_50_to_95);
}
