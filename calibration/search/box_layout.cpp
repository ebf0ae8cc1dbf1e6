// Reading and matching boxes. Read read_boxes(), then count_matches().
#include "calibration/search/box_layout.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace quantize {

namespace {

/// The places of the rows of an output, whichever axis they lie along; the rows of one sample follow another's.
class RowPlaces {
 public:
  RowPlaces(const Shape& shape, bool rows_last)
      : of_sample_(static_cast<size_t>(shape[rows_last ? 2 : 1])),
        columns_(static_cast<size_t>(shape[rows_last ? 1 : 2])),
        count_(static_cast<size_t>(shape[0]) * of_sample_),
        rows_last_(rows_last) {}

  size_t count() const { return count_; }
  size_t columns() const { return columns_; }
  size_t of(size_t row, size_t column) const {
    if (!rows_last_) return row * columns_ + column;
    return (row / of_sample_ * columns_ + column) * of_sample_ + row % of_sample_;
  }

 private:
  size_t of_sample_, columns_, count_;
  bool rows_last_;
};

/// The numbers of an output as rows.
class Rows {
 public:
  Rows(const Tensor& output, bool rows_last)
      : values_(output.to_vector<double>()), places_(output.shape(), rows_last) {}

  size_t count() const { return places_.count(); }
  size_t columns() const { return places_.columns(); }
  double at(size_t row, size_t column) const { return values_[places_.of(row, column)]; }
  template <typename Condition>
  bool all(Condition holds) const {
    for (size_t row = 0; row < count(); ++row)
      if (!holds(row)) return false;
    return true;
  }

 private:
  std::vector<double> values_;
  RowPlaces places_;
};

bool are_corners(const Rows& rows) {
  return rows.all([&](size_t r) { return rows.at(r, 2) >= rows.at(r, 0) && rows.at(r, 3) >= rows.at(r, 1); });
}

bool are_sizes(const Rows& rows) {
  return rows.all([&](size_t r) { return rows.at(r, 2) >= 0 && rows.at(r, 3) >= 0; });
}

bool are_probabilities(const Rows& rows, size_t first) {
  constexpr double kRounding = 1e-3;
  return rows.all([&](size_t r) {
    for (size_t c = first; c < rows.columns(); ++c)
      if (rows.at(r, c) < -kRounding || rows.at(r, c) > 1 + kRounding) return false;
    return true;
  });
}

bool are_class_numbers(const Rows& rows) {
  return rows.columns() == 6 &&
         rows.all([&](size_t r) { return rows.at(r, 5) >= 0 && rows.at(r, 5) == std::floor(rows.at(r, 5)); });
}

/// Height and width of the first input that is an image of few channels.
std::optional<std::array<int64_t, 2>> image_size(const std::vector<Tensor>& inputs) {
  constexpr int64_t kColours = 4;
  for (const Tensor& input : inputs) {
    const Shape& shape = input.shape();
    if (shape.size() != 4) continue;
    if (shape[1] <= kColours) return std::array{shape[2], shape[3]};
    if (shape[3] <= kColours) return std::array{shape[1], shape[2]};
  }
  return std::nullopt;
}

/// The grids of 8, 16, 32 (and 64) pixels whose cells are as many as the rows.
std::vector<int64_t> strides_of(size_t rows, int64_t height, int64_t width) {
  std::vector<int64_t> strides;
  int64_t cells = 0;
  for (int64_t stride = 8; stride <= 64; stride *= 2) {
    strides.push_back(stride);
    cells += (height / stride) * (width / stride);
    if (cells == static_cast<int64_t>(rows)) return strides;
  }
  return {};
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// The best class of a row and its score.
std::pair<size_t, double> best_class(const BoxLayout& layout, const Rows& rows, size_t row, size_t first) {
  const auto score = [&](size_t column) {
    const double value = rows.at(row, column);
    return layout.logits ? sigmoid(value) : value;
  };
  if (layout.class_column) return {static_cast<size_t>(std::max(rows.at(row, 5), 0.0)), score(4)};
  const size_t begin = first + (layout.objectness ? 1 : 0) + (layout.background ? 1 : 0);
  size_t best = begin;
  for (size_t c = begin; c < rows.columns(); ++c)
    if (score(c) > score(best)) best = c;
  return {best - begin, score(best) * (layout.objectness ? score(first) : 1)};
}

/// The cell of the grids that a row belongs to: its corner and size in pixels.
std::array<double, 3> cell_of(const BoxLayout& layout, size_t row) {
  auto left = static_cast<int64_t>(row);
  for (const int64_t stride : layout.strides) {
    const int64_t columns = layout.width / stride, cells = columns * (layout.height / stride);
    if (left < cells)
      return {static_cast<double>(left % columns), static_cast<double>(left / columns),
              static_cast<double>(stride)};
    left -= cells;
  }
  return {0, 0, 1};
}

Box box_at(const BoxLayout& layout, const Rows& rows, size_t row) {
  double x = rows.at(row, 0), y = rows.at(row, 1), w = rows.at(row, 2), h = rows.at(row, 3);
  if (layout.corners) return {.x1 = x, .y1 = y, .x2 = w, .y2 = h};
  if (!layout.strides.empty()) {
    const auto [column, line, stride] = cell_of(layout, row);
    x = (x + column) * stride;
    y = (y + line) * stride;
    w = std::exp(w) * stride;
    h = std::exp(h) * stride;
  }
  return {.x1 = x - w / 2, .y1 = y - h / 2, .x2 = x + w / 2, .y2 = y + h / 2};
}

double area(const Box& box) {
  return std::max(box.x2 - box.x1, 0.0) * std::max(box.y2 - box.y1, 0.0);
}

/// Intersection over union.
double overlap(const Box& a, const Box& b) {
  const Box shared{.x1 = std::max(a.x1, b.x1),
                   .y1 = std::max(a.y1, b.y1),
                   .x2 = std::min(a.x2, b.x2),
                   .y2 = std::min(a.y2, b.y2)};
  const double both = area(shared), either = area(a) + area(b) - both;
  return either > 0 ? both / either : 0;
}

}  // namespace

std::optional<BoxLayout> layout_of(const Tensor& output, const std::vector<Tensor>& inputs) {
  constexpr int64_t kLeastColumns = 5;
  const Shape& shape = output.shape();
  if (shape.size() != 3 || std::min(shape[1], shape[2]) < kLeastColumns || shape[1] == shape[2])
    return std::nullopt;
  BoxLayout layout{.rows_last = shape[1] < shape[2]};
  const Rows rows(output, layout.rows_last);
  layout.class_column = are_class_numbers(rows);
  layout.corners = layout.class_column || are_corners(rows);
  layout.objectness = !layout.rows_last && !layout.class_column && rows.columns() > kLeastColumns;
  layout.logits = !layout.class_column && !are_probabilities(rows, 4);
  if (layout.corners || are_sizes(rows)) return layout;
  const std::optional<std::array<int64_t, 2>> image = image_size(inputs);
  if (!image) return std::nullopt;
  layout.height = (*image)[0];
  layout.width = (*image)[1];
  layout.strides = strides_of(rows.count(), layout.height, layout.width);
  if (layout.strides.empty()) return std::nullopt;
  return layout;
}

std::optional<BoxLayout> layout_beside(const Tensor& scores, const Tensor& boxes, size_t boxes_output,
                                       bool has_background) {
  const Rows rows(boxes, false);
  const bool corners = are_corners(rows);
  if (!corners && !are_sizes(rows)) return std::nullopt;
  return BoxLayout{.corners = corners,
                   .background = has_background && scores.shape()[2] > 1,
                   .logits = !are_probabilities(Rows(scores, false), 0),
                   .boxes_output = boxes_output};
}

std::string describe(const BoxLayout& layout, const Tensor& output) {
  const auto columns = static_cast<size_t>(output.shape()[layout.rows_last ? 1 : 2]);
  std::string text = std::to_string(output.shape()[layout.rows_last ? 2 : 1]) + " rows of a box, ";
  if (layout.class_column) return text + "a score and a class";
  if (layout.objectness) text += "objectness and ";
  const size_t scores = columns - (layout.objectness ? 5 : 4);
  return text + std::to_string(scores) + (scores == 1 ? " score" : " scores") +
         (layout.strides.empty() ? "" : ", in cells of grids");
}

std::vector<bool> noticed_rows(const BoxLayout& layout, const Tensor& reference, const Tensor& candidate) {
  const Rows a(reference, layout.rows_last), b(candidate, layout.rows_last);
  const size_t first = layout.boxes_output ? 0 : 4;
  std::vector<bool> noticed(a.count());
  for (size_t row = 0; row < noticed.size(); ++row)
    noticed[row] = best_class(layout, a, row, first).second >= kNoticed ||
                   !(best_class(layout, b, row, first).second < kNoticed);
  return noticed;
}

Tensor in_rows(const std::vector<bool>& noticed, bool rows_last, const Tensor& reference,
               const Tensor& candidate) {
  auto values = reference.to_vector<float>();
  const auto others = candidate.to_vector<float>();
  const RowPlaces places(reference.shape(), rows_last);
  for (size_t row = 0; row < places.count(); ++row)
    for (size_t column = 0; noticed[row] && column < places.columns(); ++column)
      values[places.of(row, column)] = others[places.of(row, column)];
  return Tensor::of(reference.shape(), values);
}

std::vector<Box> read_boxes(const BoxLayout& layout, const Tensor& scores, const Tensor& boxes) {
  constexpr size_t kMostBoxes = 1000;  // of one sample, as each is compared with all better ones
  const Rows score_rows(scores, layout.rows_last), box_rows(boxes, layout.rows_last);
  std::vector<Box> found;
  for (size_t row = 0; row < score_rows.count(); ++row) {
    const auto [label, score] = best_class(layout, score_rows, row, layout.boxes_output ? 0 : 4);
    if (!(score >= kConfident)) continue;
    found.push_back(box_at(layout, box_rows, row));
    found.back().label = label;
    found.back().score = score;
  }
  std::stable_sort(found.begin(), found.end(), [](const Box& a, const Box& b) { return a.score > b.score; });
  if (found.size() > kMostBoxes) found.resize(kMostBoxes);
  std::vector<Box> kept;
  for (const Box& box : found)
    if (std::none_of(kept.begin(), kept.end(), [&](const Box& better) {
          return better.label == box.label && overlap(better, box) > kSameObject;
        }))
      kept.push_back(box);
  return kept;
}

size_t count_matches(const std::vector<Box>& reference, const std::vector<Box>& candidate) {
  std::vector<bool> taken(candidate.size(), false);
  size_t matches = 0;
  for (const Box& box : reference) {
    size_t best = candidate.size();
    double most = kSameObject;
    for (size_t c = 0; c < candidate.size(); ++c) {
      if (taken[c] || candidate[c].label != box.label || overlap(box, candidate[c]) < most) continue;
      most = overlap(box, candidate[c]);
      best = c;
    }
    if (best == candidate.size()) continue;
    taken[best] = true;
    ++matches;
  }
  return matches;
}

}  // namespace quantize
