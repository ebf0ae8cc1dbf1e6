#include <catch2/catch.hpp>

#include <cmath>

#include "calibration/tasks/agreement.h"
#include "tests/unit/calibration/tasks/runs.h"

using namespace quantize;
using namespace quantize::test;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Graph relu() {
  GraphBuilder b;
  return b.build({b.node("Relu", {b.input("x", {1, 1, 2, 2})})});
}

// The figures of one output over samples of this shape.
TaskFigures figures(const std::string& task, const Shape& shape,
                    const std::vector<std::vector<float>>& reference,
                    const std::vector<std::vector<float>>& candidate) {
  const Graph graph = relu();
  Agreement agreement(graph, parse_tasks({task}));
  std::vector<std::vector<SampleShare>> parts;
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
  const TaskFigures f = figures("classification", {1, 3}, {{1, 2, 3}, {3, 2, 1}, {1, 5, 2}, {9, 1, 1}},
                                {{1, 2, 4}, {2, 3, 1}, {1, 5, 2}, {9, 1, 2}});
  CHECK(f.agreement == 75.0);
  CHECK(f.figures.empty());
  REQUIRE(f.worst.size() == 1);
  CHECK(f.worst[0].sample == 1);
}

TEST_CASE("Text: positions, and whole sequences") {
  const TaskFigures f =
      figures("text", {1, 2, 2}, {{1, 0, 0, 1}, {1, 0, 0, 1}}, {{1, 0, 0, 1}, {1, 0, 1, 0}});
  CHECK(f.agreement == 75.0);
  CHECK(f.figure("sequences") == 50.0);
}

TEST_CASE("Segmentation: pixels, and the mean of the classes' intersection over union") {
  // Classes 0 0 1 1 against 0 1 1 1.
  const TaskFigures f =
      figures("segmentation", {1, 2, 2, 2}, {{1, 1, 0, 0, 0, 0, 1, 1}}, {{1, 0, 0, 0, 0, 1, 1, 1}});
  CHECK(f.agreement == 75.0);
  CHECK(f.figure("mean_iou").value() == Approx((1.0 / 2 + 2.0 / 3) / 2));
}

TEST_CASE("Images: no agreement, but a peak signal to noise ratio") {
  const TaskFigures f = figures("image", {1, 1, 2, 2}, {{0, 1, 2, 10}}, {{0, 1, 2, 9}});
  CHECK_FALSE(f.agreement);
  CHECK(f.figure("psnr_db").value() == Approx(10 * std::log10(100 / 0.25)));
  CHECK_FALSE(worst_agreement({f}));
  CHECK_THROWS_WITH(check_meaning(relu(), {f.task}, Need::kAgreement), Catch::Contains("image"));
}

TEST_CASE("Embeddings: the same nearest neighbour, and the cosine") {
  const std::vector<std::vector<float>> reference = {{1, 0}, {1, 0.1f}, {0, 1}, {0.1f, 1}};
  const TaskFigures same = figures("embedding", {1, 2}, reference, {{2, 0}, {2, 0.2f}, {0, 3}, {0.1f, 1}});
  CHECK(same.agreement == 100.0);
  CHECK(same.figure("cosine").value() == Approx(1));
  const TaskFigures other = figures("embedding", {1, 2}, reference, {{1, 0}, {0, 1}, {0, 1}, {0.9f, 0.1f}});
  CHECK(other.agreement.value() < 100);
  CHECK(other.figure("cosine").value() < 1);
  CHECK_FALSE(figures("embedding", {1, 2}, {{1, 0}}, {{1, 0}}).agreement);  // nothing to be near to
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
  const TaskFigures f = figures("detection", {1, 8, 6}, {reference}, {candidate});
  CHECK(f.agreement.value() == Approx(200.0 / 3));
  CHECK(f.figure("boxes/reference") == 2.0);
  CHECK(f.figure("boxes/candidate") == 1.0);
  CHECK_FALSE(
      figures("detection", {1, 8, 6}, {std::vector<float>(48, 0)}, {std::vector<float>(48, 0)}).agreement);
}

TEST_CASE("Numbers that are not finite agree with nothing, on either side or both") {
  const std::vector<float> good = {1, 2, 3, 4}, bad = {1, kNan, 3, 4}, endless = {1, INFINITY, 3, 4};
  const std::pair<std::string, Shape> tasks[] = {
      {"classification", {1, 4}}, {"text", {1, 2, 2}}, {"segmentation", {1, 2, 1, 2}}, {"embedding", {1, 4}}};
  for (const auto& [task, shape] : tasks) {
    for (const std::vector<float>& broken : {bad, endless}) {
      CHECK(figures(task, shape, {broken, broken}, {broken, broken}).agreement == 0.0);
      CHECK(figures(task, shape, {good, good}, {broken, broken}).agreement == 0.0);
      CHECK(figures(task, shape, {broken, broken}, {good, good}).not_finite == 2);
    }
    CHECK(figures(task, shape, {good, good}, {good, good}).agreement == 100.0);
  }
  CHECK_FALSE(figures("image", {1, 1, 2, 2}, {bad}, {bad}).figure("psnr_db"));
  CHECK(figures("classification", {1, 4}, {good, good}, {good, bad}).agreement == 50.0);
}

TEST_CASE("A class is the place of the largest score, and none where that is not defined") {
  const auto class_of = [](const Tensor& output, const std::string& op_type) {
    return run_of({{op_type, output}}).tasks()[0].measure->class_of(output);
  };
  CHECK(class_of(Tensor::of<float>({1, 3}, {1, 7, 7}), "Conv") == 1);
  CHECK_FALSE(class_of(Tensor::of<float>({1, 3}, {1, kNan, 7}), "Conv"));
  CHECK(class_of(Tensor::of<float>({1, 1}, {0.75f}), "Sigmoid") == 1);
  CHECK(class_of(Tensor::of<int64_t>({1}, {42}), "ArgMax") == 42);
  const Run two = run_of({{"Softmax", random_tensor({1, 40, 97}, 1)}, {"Conv", random_tensor({1, 3}, 2)}});
  CHECK(class_output(two.tasks()) == 1u);
}

TEST_CASE("The worst of several outputs is what a bound is held against") {
  TaskFigures high, low, none;
  high.agreement = 99;
  low.agreement = 95;
  CHECK(worst_agreement({high, none, low}) == 95.0);
}

TEST_CASE("The worst samples are named, those that are not finite first, ten at most") {
  std::vector<std::vector<float>> reference(14, {1, 0}), candidate;
  for (int i = 0; i < 14; ++i) candidate.push_back({1, static_cast<float>(i) / 10});
  candidate[3] = {kNan, 0};
  const TaskFigures f = figures("embedding", {1, 2}, reference, candidate);
  REQUIRE(f.worst.size() == kMostWorst);
  CHECK(f.worst[0].sample == 3);
  CHECK_FALSE(f.worst[0].likeness);
  CHECK(f.worst[1].sample == 13);
  CHECK(f.worst[1].likeness.value() == Approx(1 / std::sqrt(1 + 1.3 * 1.3)));
}

namespace {

/// Figures of one output of one sample with labels.
TaskFigures labelled(const Run& run, const std::vector<Tensor>& candidate, const Truth& truth) {
  Agreement agreement(run.graph, {});
  agreement.decide(run.inputs, run.outputs);
  const auto share = agreement.compare(run.outputs, candidate, std::make_shared<const Truth>(truth));
  return agreement.total({share}).back();
}

}  // namespace

TEST_CASE("Detection: matched, missed and extra boxes, their shift of scores and overlap") {
  // Lists of boxes, classes, scores: the second box moves by 1 of 10, the third is lost, one comes.
  const Run run = run_of({{"Gather", list_of({{0, 0, 10, 10}, {20, 0, 30, 10}, {40, 0, 50, 10}})},
                          {"Gather", Tensor::of<int64_t>({3}, {1, 1, 2})},
                          {"Gather", Tensor::of<float>({3}, {0.9f, 0.8f, 0.6f})}});
  const std::vector<Tensor> candidate = {list_of({{21, 0, 31, 10}, {0, 0, 10, 10}, {80, 0, 90, 10}}),
                                         Tensor::of<int64_t>({3}, {1, 1, 2}),
                                         Tensor::of<float>({3}, {0.9f, 0.6f, 0.5f})};
  const TaskFigures f = labelled(run, candidate, {});
  CHECK(f.agreement.value() == Approx(400.0 / 6));
  CHECK(f.figure("threshold") == 0.25);
  CHECK(f.figure("boxes/matched") == 2.0);
  CHECK(f.figure("boxes/missed") == 1.0);
  CHECK(f.figure("boxes/extra") == 1.0);
  CHECK(f.figure("mean_iou").value() == Approx((1 + 9.0 / 11) / 2));
  CHECK(f.figure("score_shift").value() == Approx(-0.1));
  CHECK(f.figure("score_distance").value() == Approx(0.2));
  REQUIRE(f.worst.size() == 1);
  CHECK(f.worst[0].likeness.value() == Approx(4.0 / 6));
  CHECK_FALSE(f.figure("ap/reference"));
}

TEST_CASE("Detection: where the reference has no high score, boxes count from half of its best") {
  const auto lists = [](float score) {
    return std::vector<Tensor>{list_of({{0, 0, 10, 10}, {20, 0, 30, 10}}), Tensor::of<int64_t>({2}, {1, 1}),
                               Tensor::of<float>({2}, {score, 0.04f})};
  };
  const std::vector<Tensor> low = lists(0.1f);
  const Run run = run_of({{"Gather", low[0]}, {"Gather", low[1]}, {"Gather", low[2]}});
  const TaskFigures f = labelled(run, lists(0.2f), {});
  CHECK(f.figure("threshold").value() == Approx(0.05));
  CHECK(f.figure("boxes/reference") == 1.0);
  CHECK(f.agreement == 100.0);
}

TEST_CASE("Detection with labels: boxes go back to the image, classes to the categories that fit") {
  // The image of 200 x 100 pixels is halved and stands 10 pixels down; the network counts classes by their ids.
  Truth truth{.boxes = std::vector<TruthBox>(2), .categories = std::make_shared<std::vector<int64_t>>()};
  truth.categories = std::make_shared<const std::vector<int64_t>>(std::vector<int64_t>{5, 9});
  truth.placement = {.scale_x = 0.5, .scale_y = 0.5, .left = 0, .top = 10, .size = {70, 100}};
  for (size_t i = 0; i < 2; ++i) {
    TruthBox& box = (*truth.boxes)[i];
    box.x1 = 100 * static_cast<double>(i);
    box.x2 = box.x1 + 40;
    box.y1 = 20;
    box.y2 = 60;
    box.label = i;
  }
  const Run run = run_of({{"Gather", list_of({{0, 20, 20, 40}, {50, 20, 70, 40}})},
                          {"Gather", Tensor::of<int64_t>({2}, {5, 9})},
                          {"Gather", Tensor::of<float>({2}, {0.9f, 0.8f})}});
  std::vector<Tensor> candidate = run.outputs;
  candidate[1] = Tensor::of<int64_t>({2}, {5, 5});
  const TaskFigures f = labelled(run, candidate, truth);
  CHECK(f.figure("ap/reference") == 1.0);
  CHECK(f.figure("ap50/candidate") == 0.5);
  CHECK(f.drop == 50.0);
  CHECK(f.note == "classes are ids of the categories");
}

TEST_CASE("Segmentation with labels: the mean of the classes, without pixels that have none") {
  // Labels 0 0 1 -; the reference says 0 0 1 1, the candidate 0 1 1 1.
  Image mask = make_image(2, 2, 1);
  mask.pixels = {0, 0, 1, Truth::kNoClass};
  const Run run = run_of({{"Conv", Tensor::of<float>({1, 2, 2, 2}, {1, 1, 0, 0, 0, 0, 1, 1})}}, {1, 3, 2, 2});
  const std::vector<Tensor> candidate = {Tensor::of<float>({1, 2, 2, 2}, {1, 0, 0, 0, 0, 1, 1, 1})};
  const TaskFigures f = labelled(run, candidate, {.mask = std::make_shared<const Image>(mask)});
  CHECK(f.figure("label_iou/reference") == 1.0);
  CHECK(f.figure("label_iou/candidate").value() == Approx(0.5));
  CHECK(f.drop.value() == Approx(50));
  // Twice the size: the map covers the same image.
  Image large = make_image(4, 4, 1);
  for (int64_t i = 0; i < 16; ++i) large.pixels[static_cast<size_t>(i)] = i < 8 ? 0 : 1;
  CHECK(labelled(run, candidate, {.mask = std::make_shared<const Image>(large)})
            .figure("label_iou/reference") == 1.0);
}

TEST_CASE("Text: the strings that both read, and their edit distance") {
  // Two samples of four positions; class 0 is the blank. "12" against "12" written otherwise, then against "1".
  const std::vector<float> reads_12 = {0, 1, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0};
  const std::vector<float> again_12 = {0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1};
  const std::vector<float> reads_1 = {0, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0};
  const TaskFigures f = figures("text", {1, 4, 3}, {reads_12, reads_12}, {again_12, reads_1});
  CHECK(f.figure("strings") == 50.0);
  CHECK(f.figure("sequences") == 0.0);
  CHECK(f.figure("edit_distance") == 0.5);
  CHECK(f.figure("length") == 2.0);
  CHECK(f.worst.size() == 1);
}
