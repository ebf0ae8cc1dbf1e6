#include <catch2/catch.hpp>

#include <cmath>

#include "calibration/tasks/box_rows.h"
#include "tests/unit/calibration/tasks/runs.h"

using namespace quantize;
using namespace quantize::test;

namespace {

// The layout of the only output of a detector, as --task detection has it.
std::optional<BoxLayout> layout_of(const Tensor& output, const Shape& image = {1, 3, 64, 64}) {
  return quantize::layout_of(run_of({{"Concat", output}}, image).view(0));
}

// The layout of one of several outputs; nothing if it has none of its own.
std::optional<BoxLayout> layout_in(const Run& run, size_t output) {
  const std::optional<FoundLayout> found = find_layout(run.view(output));
  return found ? found->layout : std::nullopt;
}

constexpr double kConfident = 0.25;

std::vector<Box> boxes_of(const BoxLayout& layout, const Tensor& output) {
  return read_boxes(layout, {output}, kConfident);
}

const std::vector<std::vector<float>> kRows = {
    {20, 20, 10, 10, 0.9f, 0.8f, 0.1f},  // 15..25: class 0
    {21, 20, 10, 10, 0.8f, 0.8f, 0.1f},  // the same object, worse
    {21, 20, 10, 10, 0.8f, 0.1f, 0.8f},  // another class at the same place
    {60, 60, 20, 10, 0.9f, 0.2f, 0.7f},
    {90, 90, 20, 10, 0.2f, 0.9f, 0.7f},  // not confident
    {5, 5, 2, 2, 0, 0, 0},
    {5, 5, 2, 2, 0, 0, 0},
    {5, 5, 2, 2, 0, 0, 0}};

}  // namespace

TEST_CASE("Rows with objectness: confident boxes, the best of each object") {
  const Tensor output = rows_of(kRows);
  const BoxLayout layout = layout_of(output).value();
  CHECK(layout.objectness);
  CHECK_FALSE(layout.corners);
  const std::vector<Box> boxes = boxes_of(layout, output);
  REQUIRE(boxes.size() == 3);
  CHECK(boxes[0].score == Approx(0.72));
  CHECK(boxes[0].x1 == 15);
  CHECK(boxes[0].y2 == 25);
  CHECK(boxes[0].label == 0);
  CHECK(boxes[1].label == 1);
  CHECK(boxes[1].x1 == Approx(16));
  CHECK(boxes[2].label == 1);
  CHECK(boxes[2].x1 == Approx(50));
}

TEST_CASE("The same without objectness, where rows lie along the last axis") {
  const Tensor output = rows_of(kRows, true);
  const BoxLayout layout = layout_of(output).value();
  CHECK(layout.rows_last);
  CHECK_FALSE(layout.objectness);
  CHECK(boxes_of(layout, output)[0].score == Approx(0.9));
}

TEST_CASE("Rows of corners, a score and a class") {
  std::vector<std::vector<float>> rows(8, {0, 0, 1, 1, 0, 0});
  rows[0] = {10, 10, 20, 20, 0.9f, 17};
  rows[1] = {40, 10, 60, 20, 0.6f, 0};
  const Tensor output = rows_of(rows);
  const BoxLayout layout = layout_of(output).value();
  REQUIRE(layout.columns);
  CHECK(layout.columns->label == 5);
  const std::vector<Box> boxes = boxes_of(layout, output);
  REQUIRE(boxes.size() == 2);
  CHECK(boxes[0].label == 17);
  CHECK(boxes[1].x2 == 60);
}

TEST_CASE("Positions in cells of grids, sizes by their logarithm") {
  // 64 x 32 pixels: 8 x 4 cells of 8, 4 x 2 of 16, 2 x 1 of 32.
  std::vector<std::vector<float>> rows(42, {0.5f, 0.5f, -1, -1, 0, 0});
  rows[9] = {0.5f, 0.25f, 0, std::log(2.0f), 1, 0.9f};  // cell (1, 1) of 8 pixels
  const Tensor output = rows_of(rows);
  const BoxLayout layout = layout_of(output, {1, 3, 32, 64}).value();
  CHECK(layout.strides == std::vector<int64_t>{8, 16, 32});
  const std::vector<Box> boxes = boxes_of(layout, output);
  REQUIRE(boxes.size() == 1);
  CHECK(boxes[0].x1 == Approx(8));
  CHECK(boxes[0].x2 == Approx(16));
  CHECK(boxes[0].y1 == Approx(2));
  CHECK(boxes[0].y2 == Approx(18));
  CHECK_FALSE(layout_of(output, {1, 5}));  // sizes below 0 and no image that explains them
}

TEST_CASE("Scores beside boxes: a class of their own says that there is nothing") {
  const Tensor scores = rows_of({{0.1f, 0.9f}, {0.9f, 0.1f}, {0.3f, 0.7f}}),
               boxes = rows_of({{10, 10, 20, 20}, {50, 50, 60, 60}, {80, 80, 90, 90}});
  const BoxLayout layout = layout_in(run_of({{"Softmax", scores}, {"Conv", boxes}}), 0).value();
  const std::vector<Box> found = read_boxes(layout, {scores, boxes}, kConfident);
  REQUIRE(found.size() == 2);
  CHECK(found[0].x1 == 10);
  const BoxLayout of_sigmoid = layout_in(run_of({{"Sigmoid", scores}, {"Conv", boxes}}), 0).value();
  CHECK(read_boxes(of_sigmoid, {scores, boxes}, kConfident).size() == 3);
  const Tensor offsets = rows_of({{0.1f, -0.2f, -0.5f, 0.3f}, {0, 0, 0.1f, 0.1f}, {0.2f, 0.1f, 0, 0}});
  CHECK_FALSE(
      layout_in(run_of({{"Softmax", scores}, {"Conv", offsets}}), 0));  // anchors are not in the network
}

TEST_CASE("Logits beside boxes: the class that most boxes take says that there is nothing") {
  // Three queries of DETR: the last class is the background; centre and size in parts of the image.
  const Tensor logits = rows_of({{0, 1, 6}, {8, 1, 2}, {0, 0, 5}}),
               boxes =
                   rows_of({{0.5f, 0.5f, 0.1f, 0.1f}, {0.2f, 0.4f, 0.2f, 0.4f}, {0.5f, 0.5f, 0.1f, 0.1f}});
  const BoxLayout layout = layout_in(run_of({{"Conv", logits}, {"Sigmoid", boxes}}), 0).value();
  CHECK(layout.background == size_t{2});
  const std::vector<Box> found = read_boxes(layout, {logits, boxes}, kConfident);
  REQUIRE(found.size() == 1);
  CHECK(found[0].label == 0);
  CHECK(found[0].x1 == Approx(0.1));
  CHECK(found[0].y2 == Approx(0.6));
  CHECK(found[0].score == Approx(1 / (1 + std::exp(-7) + std::exp(-6))));
  // Scores of a Sigmoid are below 0 where there is nothing.
  const Tensor of_sigmoid = rows_of({{-4, -6}, {2, -5}, {-4, -7}});
  const BoxLayout other = layout_in(run_of({{"Conv", of_sigmoid}, {"Sigmoid", boxes}}), 0).value();
  CHECK_FALSE(other.background);
  CHECK(read_boxes(other, {of_sigmoid, boxes}, kConfident)[0].score == Approx(1 / (1 + std::exp(-2))));
}

TEST_CASE("Boxes match by class and overlap, each once") {
  const Box a{.x1 = 0, .y1 = 0, .x2 = 10, .y2 = 10, .score = 1, .label = 0};
  Box moved = a, other = a, far = a;
  moved.x1 += 3;  // 70 of 100 in common
  other.label = 1;
  far.x1 += 6;
  CHECK(match_boxes({a}, {a}).size() == 1);
  CHECK(match_boxes({a}, {moved}).size() == 1);
  CHECK(match_boxes({a}, {other}).size() == 0);
  CHECK(match_boxes({a}, {far}).size() == 0);
  CHECK(match_boxes({a, a}, {moved}).size() == 1);
  CHECK(match_boxes({}, {a}).size() == 0);
}

TEST_CASE("Rows that neither network gives a score count as equal") {
  const bool rows_last = GENERATE(false, true);
  auto changed = kRows;
  for (auto& row : changed) row[0] += 3;
  changed[6][4] = changed[6][5] = changed[6][6] = 0.9f;  // an object of the candidate alone
  const Tensor reference = rows_of(kRows, rows_last), candidate = rows_of(changed, rows_last);
  BoxLayout layout{.rows_last = rows_last, .objectness = true};
  const std::vector<bool> noticed = noticed_rows(layout, reference, candidate);
  CHECK(noticed == std::vector<bool>{true, true, true, true, true, false, true, false});
  auto expected = changed;
  expected[5] = kRows[5];
  expected[7] = kRows[7];
  CHECK(in_rows(noticed, rows_last, reference, candidate).to_vector<float>() ==
        rows_of(expected, rows_last).to_vector<float>());
}

TEST_CASE("A row whose score is no number is noticed") {
  auto broken = kRows;
  broken[5][4] = std::nanf("");
  const BoxLayout layout{.objectness = true};
  CHECK(noticed_rows(layout, rows_of(kRows), rows_of(broken))[5]);
}

TEST_CASE("Rows of a batch follow each other") {
  const Tensor one = rows_of(kRows, true);
  std::vector<float> twice = one.to_vector<float>(), moved = twice;
  for (float& value : moved) value += 0.5f;
  const size_t size = twice.size();
  twice.insert(twice.end(), twice.begin(), twice.end());
  std::vector<float> other = twice;
  std::copy(moved.begin(), moved.end(), other.begin() + static_cast<std::ptrdiff_t>(size));
  const Tensor reference = Tensor::of({2, 7, 8}, twice), candidate = Tensor::of({2, 7, 8}, other);
  std::vector<bool> second(16, false);
  second[8 + 5] = true;
  const auto mixed = in_rows(second, true, reference, candidate).to_vector<float>();
  for (size_t i = 0; i < mixed.size(); ++i)
    CHECK(mixed[i] == (i >= size && (i - size) % 8 == 5 ? other[i] : twice[i]));
}

namespace {

// Three boxes with scores and classes, and as much again for each.
struct Lists {
  Tensor boxes = list_of({{0, 0, 10, 10}, {20, 20, 40, 40}, {50, 0, 60, 30}});
  Tensor scores = Tensor::of<float>({3}, {0.9f, 0.6f, 0.3f});
  Tensor labels = Tensor::of<int64_t>({3}, {1, 7, 1});
};

}  // namespace

TEST_CASE("Lists of boxes, scores and classes are one detector, in any order of outputs") {
  const Lists lists;
  const Run run = run_of({{"Gather", lists.boxes},
                          {"Gather", lists.labels},
                          {"Gather", lists.scores},
                          {"Relu", random_tensor({3, 1, 4, 4}, 1)}});
  const BoxLayout layout = layout_in(run, 2).value();
  CHECK(layout.boxes_output == size_t{0});
  CHECK(layout.labels_output == size_t{1});
  CHECK(layout.is_list);
  CHECK(layout.corners);
  CHECK(layout.companions == std::vector<size_t>{3});
  for (const size_t part : {0, 1, 3}) {
    CHECK(find_layout(run.view(part)));  // it belongs to the scores
    CHECK_FALSE(layout_in(run, part));
  }
  const std::vector<Box> found = read_boxes(layout, run.outputs, kConfident);
  REQUIRE(found.size() == 3);
  CHECK(found[1].label == 7);
  CHECK(found[1].x2 == 40);
}

TEST_CASE("Lists with an extent of 1 in front, and classes as floats") {
  const Lists lists;
  const Tensor boxes = Tensor::of({1, 3, 4}, lists.boxes.to_vector<float>()),
               scores = Tensor::of({1, 3}, lists.scores.to_vector<float>()),
               labels = Tensor::of({1, 3}, lists.labels.to_vector<float>()),
               count = Tensor::of<float>({1}, {3});
  const Run run = run_of({{"Gather", count}, {"Gather", boxes}, {"Gather", scores}, {"Gather", labels}});
  const BoxLayout layout = layout_in(run, 2).value();
  CHECK(layout.labels_output == size_t{3});
  CHECK_FALSE(find_layout(run.view(0)));
  CHECK(read_boxes(layout, run.outputs, kConfident)[1].label == 7);
}

TEST_CASE("Empty lists are boxes too") {
  const Run run = run_of({{"Gather", Tensor(DataType::kF32, {0, 4})},
                          {"Gather", Tensor(DataType::kS64, {0})},
                          {"Gather", Tensor(DataType::kF32, {0})}});
  const BoxLayout layout = layout_in(run, 2).value();
  CHECK(read_boxes(layout, run.outputs, 0).empty());
}

TEST_CASE("The columns of a list in one output are told by their numbers") {
  const std::vector<std::pair<std::vector<std::vector<float>>, size_t>> lists = {
      {{{0, 0, 10, 10, 0.9f, 3}, {20, 20, 40, 40, 0.6f, 7}}, 5},        // corners, score, class
      {{{0, 0, 10, 10, 3, 0.9f}, {20, 20, 40, 40, 7, 0.6f}}, 4},        // corners, class, score
      {{{3, 0.9f, 0, 0, 10, 10}, {7, 0.6f, 20, 20, 40, 40}}, 0},        // class, score, corners
      {{{0, 0, 0, 10, 10, 3, 0.9f}, {0, 20, 20, 40, 40, 7, 0.6f}}, 5},  // the sample in front of it
      {{{0, 3, 0.9f, 0, 0, 10, 10}, {0, 7, 0.6f, 20, 20, 40, 40}}, 1}};
  for (const auto& [rows, label] : lists)
    for (const Tensor& output : {list_of(rows), rows_of(rows)}) {
      const Run run = run_of({{"Gather", output}});
      const BoxLayout layout = layout_in(run, 0).value();
      CHECK(layout.columns.value().label == label);
      const std::vector<Box> found = read_boxes(layout, run.outputs, kConfident);
      REQUIRE(found.size() == 2);
      CHECK(found[0].label == 3);
      CHECK(found[0].score == Approx(0.9));
      CHECK(found[1].x2 == 40);
    }
  CHECK_FALSE(layout_in(run_of({{"Gather", random_tensor({8, 6}, 1, -1, 1)}}), 0));
}

TEST_CASE("The choice of a NonMaxSuppression says which boxes count") {
  const Tensor boxes = rows_of({{0, 0, 10, 10}, {20, 20, 40, 40}, {50, 0, 60, 30}}),
               scores = rows_of({{0.9f, 0.8f, 0.1f}, {0.2f, 0.7f, 0.6f}});  // [1, classes, boxes]
  const Run run = run_of({{"NonMaxSuppression", Tensor::of<int64_t>({2, 3}, {0, 1, 2, 0, 0, 1})},
                          {"Add", boxes},
                          {"Sigmoid", scores}});
  const BoxLayout layout = layout_in(run, 2).value();
  CHECK(layout.selection_output == size_t{0});
  const std::vector<Box> found = read_boxes(layout, run.outputs, kConfident);
  REQUIRE(found.size() == 2);
  CHECK(found[0].label == 0);
  CHECK(found[0].x1 == 20);
  CHECK(found[0].score == Approx(0.8));
  CHECK(found[1].label == 1);
  CHECK(found[1].score == Approx(0.6));
}

TEST_CASE("Lists are aligned by partners; a box without one meets itself with a score of 0") {
  const Lists lists;
  const Run run = run_of({{"Gather", lists.boxes}, {"Gather", lists.labels}, {"Gather", lists.scores}});
  const BoxLayout layout = layout_in(run, 2).value();
  std::vector<Tensor> reference = run.outputs;
  // The second box first, the first one moved, the third one of another class.
  std::vector<Tensor> candidate = {list_of({{20, 20, 40, 40}, {1, 0, 10, 10}, {50, 0, 60, 30}}),
                                   Tensor::of<int64_t>({3}, {7, 1, 2}),
                                   Tensor::of<float>({3}, {0.7f, 0.6f, 0.3f})};
  align_lists(layout, reference, candidate);
  CHECK(reference[2].to_vector<float>() == std::vector<float>{0.9f, 0.6f, 0.3f, 0});
  CHECK(candidate[2].to_vector<float>() == std::vector<float>{0.6f, 0.7f, 0, 0.3f});
  CHECK(reference[1].to_vector<int64_t>() == std::vector<int64_t>{1, 7, 1, 2});
  CHECK(candidate[1].to_vector<int64_t>() == std::vector<int64_t>{1, 7, 1, 2});
  CHECK(candidate[0].shape() == Shape{4, 4});
  CHECK(candidate[0].to_vector<float>()[0] == 1);
  CHECK(candidate[0].to_vector<float>()[8] == 50);
}
