#include <catch2/catch.hpp>

#include <cmath>

#include "calibration/search/box_layout.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

// Rows of six numbers, stored as [1, rows, 6] or the other way round.
Tensor rows_of(const std::vector<std::vector<float>>& rows, bool rows_last = false) {
  const auto count = static_cast<int64_t>(rows.size()), columns = static_cast<int64_t>(rows[0].size());
  Tensor tensor(DataType::kF32, rows_last ? Shape{1, columns, count} : Shape{1, count, columns});
  for (int64_t r = 0; r < count; ++r)
    for (int64_t c = 0; c < columns; ++c)
      tensor.mutable_data<float>()[rows_last ? c * count + r : r * columns + c] =
          rows[static_cast<size_t>(r)][static_cast<size_t>(c)];
  return tensor;
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
  const BoxLayout layout = layout_of(output, {}).value();
  CHECK(layout.objectness);
  CHECK_FALSE(layout.corners);
  const std::vector<Box> boxes = read_boxes(layout, output, output);
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
  const BoxLayout layout = layout_of(output, {}).value();
  CHECK(layout.rows_last);
  CHECK_FALSE(layout.objectness);
  CHECK(read_boxes(layout, output, output)[0].score == Approx(0.9));
}

TEST_CASE("Rows of corners, a score and a class") {
  std::vector<std::vector<float>> rows(8, {0, 0, 1, 1, 0, 0});
  rows[0] = {10, 10, 20, 20, 0.9f, 17};
  rows[1] = {40, 10, 60, 20, 0.6f, 0};
  const Tensor output = rows_of(rows);
  const BoxLayout layout = layout_of(output, {}).value();
  CHECK(layout.class_column);
  const std::vector<Box> boxes = read_boxes(layout, output, output);
  REQUIRE(boxes.size() == 2);
  CHECK(boxes[0].label == 17);
  CHECK(boxes[1].x2 == 60);
}

TEST_CASE("Positions in cells of grids, sizes by their logarithm") {
  // 64 x 32 pixels: 8 x 4 cells of 8, 4 x 2 of 16, 2 x 1 of 32.
  std::vector<std::vector<float>> rows(42, {0.5f, 0.5f, -1, -1, 0, 0});
  rows[9] = {0.5f, 0.25f, 0, std::log(2.0f), 1, 0.9f};  // cell (1, 1) of 8 pixels
  const Tensor output = rows_of(rows), image(DataType::kF32, {1, 3, 32, 64});
  const BoxLayout layout = layout_of(output, {image}).value();
  CHECK(layout.strides == std::vector<int64_t>{8, 16, 32});
  const std::vector<Box> boxes = read_boxes(layout, output, output);
  REQUIRE(boxes.size() == 1);
  CHECK(boxes[0].x1 == Approx(8));
  CHECK(boxes[0].x2 == Approx(16));
  CHECK(boxes[0].y1 == Approx(2));
  CHECK(boxes[0].y2 == Approx(18));
  CHECK_FALSE(layout_of(output, {}));  // sizes below 0 and no image that explains them
}

TEST_CASE("Scores beside boxes: a class of their own says that there is nothing") {
  const Tensor scores = rows_of({{0.1f, 0.9f}, {0.9f, 0.1f}, {0.3f, 0.7f}}),
               boxes = rows_of({{10, 10, 20, 20}, {50, 50, 60, 60}, {80, 80, 90, 90}});
  const BoxLayout layout = layout_beside(scores, boxes, 1, true).value();
  const std::vector<Box> found = read_boxes(layout, scores, boxes);
  REQUIRE(found.size() == 2);
  CHECK(found[0].x1 == 10);
  CHECK(read_boxes(layout_beside(scores, boxes, 1, false).value(), scores, boxes).size() == 3);
  const Tensor offsets = rows_of({{0.1f, -0.2f, -0.5f, 0.3f}, {0, 0, 0.1f, 0.1f}, {0.2f, 0.1f, 0, 0}});
  CHECK_FALSE(layout_beside(scores, offsets, 1, true));  // from anchors that are not in the network
}

TEST_CASE("Boxes match by class and overlap, each once") {
  const Box a{.x1 = 0, .y1 = 0, .x2 = 10, .y2 = 10, .score = 1, .label = 0};
  Box moved = a, other = a, far = a;
  moved.x1 += 3;  // 70 of 100 in common
  other.label = 1;
  far.x1 += 6;
  CHECK(count_matches({a}, {a}) == 1);
  CHECK(count_matches({a}, {moved}) == 1);
  CHECK(count_matches({a}, {other}) == 0);
  CHECK(count_matches({a}, {far}) == 0);
  CHECK(count_matches({a, a}, {moved}) == 1);
  CHECK(count_matches({}, {a}) == 0);
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
