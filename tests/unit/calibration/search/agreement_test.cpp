#include <catch2/catch.hpp>

#include <cmath>

#include "calibration/search/agreement.h"
#include "core/error.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Graph relu() {
  GraphBuilder b;
  return b.build({b.node("Relu", {b.input("x", {1, 1, 2, 2})})});
}

// The figures of one output over samples of this shape.
TaskFigures figures(Task task, const Shape& shape, const std::vector<std::vector<float>>& reference,
                    const std::vector<std::vector<float>>& candidate) {
  const Graph graph = relu();
  Agreement agreement(graph, task);
  std::vector<std::vector<SampleAgreement>> parts;
  const std::vector<Tensor> inputs = {Tensor(DataType::kF32, {1, 1, 2, 2})};
  agreement.decide(inputs, {Tensor::of<float>(shape, reference[0])});
  for (size_t s = 0; s < reference.size(); ++s)
    parts.push_back(agreement.compare({Tensor::of<float>(shape, reference[s])},
                                      {Tensor::of<float>(shape, candidate[s])}));
  parts.emplace_back();  // a sample that was skipped
  return agreement.total(parts)[0];
}

}  // namespace

TEST_CASE("Classification: samples with the same best class") {
  const TaskFigures f = figures(Task::kClassification, {1, 3}, {{1, 2, 3}, {3, 2, 1}, {1, 5, 2}, {9, 1, 1}},
                                {{1, 2, 4}, {2, 3, 1}, {1, 5, 2}, {9, 1, 2}});
  CHECK(f.agreement == 75.0);
  CHECK_FALSE(f.psnr_db);
  CHECK_FALSE(f.sequences);
}

TEST_CASE("Text: positions, and whole sequences") {
  const TaskFigures f =
      figures(Task::kText, {1, 2, 2}, {{1, 0, 0, 1}, {1, 0, 0, 1}}, {{1, 0, 0, 1}, {1, 0, 1, 0}});
  CHECK(f.agreement == 75.0);
  CHECK(f.sequences == 50.0);
}

TEST_CASE("Segmentation: pixels, and the mean of the classes' intersection over union") {
  // Classes 0 0 1 1 against 0 1 1 1.
  const TaskFigures f =
      figures(Task::kSegmentation, {1, 2, 2, 2}, {{1, 1, 0, 0, 0, 0, 1, 1}}, {{1, 0, 0, 0, 0, 1, 1, 1}});
  CHECK(f.agreement == 75.0);
  CHECK(f.mean_iou.value() == Approx((1.0 / 2 + 2.0 / 3) / 2));
}

TEST_CASE("Images: no agreement, but a peak signal to noise ratio") {
  const TaskFigures f = figures(Task::kImage, {1, 1, 2, 2}, {{0, 1, 2, 10}}, {{0, 1, 2, 9}});
  CHECK_FALSE(f.agreement);
  CHECK(f.psnr_db.value() == Approx(10 * std::log10(100 / 0.25)));
  CHECK_FALSE(worst_agreement({f}));
  CHECK_FALSE(has_agreement({f.task}));
}

TEST_CASE("Embeddings: the same nearest neighbour, and the cosine") {
  const std::vector<std::vector<float>> reference = {{1, 0}, {1, 0.1f}, {0, 1}, {0.1f, 1}};
  const TaskFigures same =
      figures(Task::kEmbedding, {1, 2}, reference, {{2, 0}, {2, 0.2f}, {0, 3}, {0.1f, 1}});
  CHECK(same.agreement == 100.0);
  CHECK(same.cosine.value() == Approx(1));
  const TaskFigures other =
      figures(Task::kEmbedding, {1, 2}, reference, {{1, 0}, {0, 1}, {0, 1}, {0.9f, 0.1f}});
  CHECK(other.agreement.value() < 100);
  CHECK(other.cosine.value() < 1);
  CHECK_FALSE(figures(Task::kEmbedding, {1, 2}, {{1, 0}}, {{1, 0}}).agreement);  // nothing to be near to
}

TEST_CASE("Detection: boxes with a partner, of those of both networks") {
  std::vector<float> reference(8 * 6, 0), candidate(8 * 6, 0);
  const auto put = [](std::vector<float>& rows, size_t row, float x, float score) {
    for (const auto& [column, value] : std::initializer_list<std::pair<size_t, float>>{
             {0, x}, {1, 50}, {2, 10}, {3, 10}, {4, 1}, {5, score}})
      rows[row * 6 + column] = value;
  };
  put(reference, 0, 20, 0.9f);
  put(reference, 1, 80, 0.9f);
  put(candidate, 0, 21, 0.5f);
  const TaskFigures f = figures(Task::kDetection, {1, 8, 6}, {reference}, {candidate});
  CHECK(f.agreement.value() == Approx(200.0 / 3));
  CHECK(f.reference_boxes == 2);
  CHECK(f.candidate_boxes == 1);
  CHECK_FALSE(figures(Task::kDetection, {1, 8, 6}, {std::vector<float>(48, 0)}, {std::vector<float>(48, 0)})
                  .agreement);
}

TEST_CASE("Numbers that are not finite agree with nothing, on either side or both") {
  const std::vector<float> good = {1, 2, 3, 4}, bad = {1, kNan, 3, 4}, endless = {1, INFINITY, 3, 4};
  const std::pair<Task, Shape> tasks[] = {{Task::kClassification, {1, 4}},
                                          {Task::kText, {1, 2, 2}},
                                          {Task::kSegmentation, {1, 2, 1, 2}},
                                          {Task::kEmbedding, {1, 4}}};
  for (const auto& [task, shape] : tasks) {
    for (const std::vector<float>& broken : {bad, endless}) {
      CHECK(figures(task, shape, {broken, broken}, {broken, broken}).agreement == 0.0);
      CHECK(figures(task, shape, {good, good}, {broken, broken}).agreement == 0.0);
      CHECK(figures(task, shape, {broken, broken}, {good, good}).not_finite == 2);
    }
    CHECK(figures(task, shape, {good, good}, {good, good}).agreement == 100.0);
  }
  CHECK_FALSE(figures(Task::kImage, {1, 1, 2, 2}, {bad}, {bad}).psnr_db);
  CHECK(figures(Task::kClassification, {1, 4}, {good, good}, {good, bad}).agreement == 50.0);
}

TEST_CASE("A class is the place of the largest score, and none where that is not defined") {
  const OutputTask scores{.task = Task::kClassification};
  CHECK(class_of(scores, Tensor::of<float>({1, 3}, {1, 7, 7})) == 1);
  CHECK_FALSE(class_of(scores, Tensor::of<float>({1, 3}, {1, kNan, 7})));
  OutputTask half = scores, number = scores;
  half.halves = true;
  number.indices = true;
  CHECK(class_of(half, Tensor::of<float>({1, 1}, {0.75f})) == 1);
  CHECK(class_of(number, Tensor::of<int64_t>({1}, {42})) == 42);
  CHECK(class_output({OutputTask{.task = Task::kText}, scores}) == 1u);
}

TEST_CASE("The worst of several outputs is what a bound is held against") {
  TaskFigures high, low, none;
  high.agreement = 99;
  low.agreement = 95;
  CHECK(worst_agreement({high, none, low}) == 95.0);
}
