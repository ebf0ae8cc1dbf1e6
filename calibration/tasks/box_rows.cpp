// Reading boxes and putting lists in order. Read read_boxes(), then align_lists().
#include "calibration/tasks/box_rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <tuple>

#include "core/error.h"

namespace quantize {

namespace {

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// The best class of a row and its score. Classes count without the background.
class ScoreReader {
 public:
  ScoreReader(const BoxLayout& layout, const Tensor& scores)
      : layout_(layout),
        rows_(scores, layout.rows_last),
        objectness_(layout.boxes_output ? 0 : 4),
        first_(objectness_ + (layout.objectness ? 1 : 0)) {}

  size_t count() const { return rows_.count(); }

  std::pair<size_t, double> best(size_t row) const {
    if (layout_.columns) {
      const double label = rows_.at(row, layout_.columns->label);
      return {label > 0 ? static_cast<size_t>(label) : 0, rows_.at(row, layout_.columns->score)};
    }
    size_t best = rows_.columns();
    for (size_t c = first_; c < rows_.columns(); ++c)
      if (!is_background(c) && (best == rows_.columns() || rows_.at(row, c) > rows_.at(row, best))) best = c;
    if (best == rows_.columns()) return {0, 0};
    return {label_of(best), score(row, best) * object_at(row)};
  }

  /// The classes with a score of at least `least`. Requires: the rows are no list.
  std::vector<std::pair<size_t, double>> of_classes(size_t row, double least) const {
    std::vector<std::pair<size_t, double>> classes;
    const double object = object_at(row);
    for (size_t c = first_; object >= least && c < rows_.columns(); ++c)
      if (const double value = score(row, c) * object; !is_background(c) && value >= least)
        classes.emplace_back(label_of(c), value);
    return classes;
  }

 private:
  double object_at(size_t row) const { return layout_.objectness ? score(row, objectness_) : 1; }
  size_t label_of(size_t column) const { return column - first_ - (layout_.background == size_t{0} ? 1 : 0); }

  bool is_background(size_t column) const {
    return layout_.background && column == first_ + *layout_.background;
  }

  double score(size_t row, size_t column) const {
    const double value = rows_.at(row, column);
    if (layout_.scores == BoxLayout::Scores::kSigmoid) return sigmoid(value);
    if (layout_.scores == BoxLayout::Scores::kAsTheyAre) return value;
    double sum = 0;
    for (size_t c = first_; c < rows_.columns(); ++c) sum += std::exp(rows_.at(row, c) - value);
    return 1 / sum;
  }

  const BoxLayout& layout_;
  Rows rows_;
  size_t objectness_, first_;
};

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
  const size_t first = layout.columns ? layout.columns->box : 0;
  double x = rows.at(row, first), y = rows.at(row, first + 1), w = rows.at(row, first + 2),
         h = rows.at(row, first + 3);
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

/// Errors: Error(kInvalidArgument) if a row is too short for what stands in it.
void check_columns(const BoxLayout& layout, size_t columns) {
  size_t needed = 4;
  if (layout.columns)
    needed = std::max({layout.columns->box + 4, layout.columns->score + 1, layout.columns->label + 1});
  if (columns < needed)
    throw Error(ErrorKind::kInvalidArgument, "rows of boxes have " + std::to_string(columns) +
                                                 " numbers instead of " + std::to_string(needed) +
                                                 "; the models are not forms of the same model");
}

/// The boxes that a NonMaxSuppression has chosen, by its list of sample, class and box.
std::vector<Box> selected_boxes(const BoxLayout& layout, const std::vector<Tensor>& outputs) {
  const Rows chosen(outputs[*layout.selection_output], false), boxes(outputs[*layout.boxes_output], false),
      scores(outputs[layout.scores_output], true);
  if (boxes.count() != 0) check_columns(layout, boxes.columns());
  std::vector<Box> found(chosen.columns() < 3 ? 0 : chosen.count());
  for (size_t row = 0; row < chosen.count(); ++row) {
    const double label = chosen.at(row, 1), place = chosen.at(row, 2);
    if (!(label >= 0 && label < static_cast<double>(scores.columns()) && place >= 0 &&
          place < static_cast<double>(std::min(boxes.count(), scores.count()))))
      continue;  // padding; its score is 0
    found[row] = box_at(layout, boxes, static_cast<size_t>(place));
    found[row].label = static_cast<size_t>(label);
    found[row].score = scores.at(static_cast<size_t>(place), found[row].label);
  }
  return found;
}

/// A box for every row.
std::vector<Box> all_boxes(const BoxLayout& layout, const std::vector<Tensor>& outputs) {
  if (layout.selection_output) return selected_boxes(layout, outputs);
  const size_t boxes_output = layout.boxes_output.value_or(layout.scores_output);
  const Rows rows(outputs[boxes_output], layout.rows_last);
  if (rows.count() != 0) check_columns(layout, rows.columns());
  const Tensor& of_boxes = outputs[layout.scores_output];
  const bool one_each = layout.is_list && layout.boxes_output;  // whatever extents of 1 stand around them
  const ScoreReader scores(
      layout, one_each ? Tensor::of<float>({1, of_boxes.size(), 1}, of_boxes.to_vector<float>()) : of_boxes);
  std::vector<Box> boxes(std::min(rows.count(), scores.count()));
  for (size_t row = 0; row < boxes.size(); ++row) {
    boxes[row] = box_at(layout, rows, row);
    std::tie(boxes[row].label, boxes[row].score) = scores.best(row);
  }
  if (!layout.labels_output) return boxes;
  const auto labels = outputs[*layout.labels_output].to_vector<double>();
  for (size_t row = 0; row < std::min(boxes.size(), labels.size()); ++row)
    boxes[row].label = labels[row] > 0 ? static_cast<size_t>(labels[row]) : 0;
  return boxes;
}

/// Rows of one side that stand beside each other's: kNone where the other side alone has one.
struct RowPair {
  size_t reference, candidate;
};
constexpr size_t kNone = static_cast<size_t>(-1);

std::vector<RowPair> pair_rows(const std::vector<Box>& reference, const std::vector<Box>& candidate) {
  std::vector<size_t> order(reference.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return is_better(reference[a], reference[b]); });
  std::vector<Box> best_first;
  for (const size_t row : order) best_first.push_back(reference[row]);
  std::vector<RowPair> pairs(reference.size());
  for (size_t row = 0; row < pairs.size(); ++row) pairs[row] = {row, kNone};
  std::vector<bool> taken(candidate.size(), false);
  for (const BoxMatch& match : match_boxes(best_first, candidate)) {
    pairs[order[match.reference]].candidate = match.candidate;
    taken[match.candidate] = true;
  }
  for (size_t row = 0; row < candidate.size(); ++row)
    if (!taken[row]) pairs.push_back({kNone, row});
  return pairs;
}

/// The numbers of a row that are its score, in bytes from its begin; of no other output than that of the scores.
struct ScoreBytes {
  size_t begin = 0, size = 0;
};

/// The axis along which both lists have their rows, so many and otherwise alike; nothing if they have none.
std::optional<size_t> row_axis(const Tensor& reference, size_t rows_of_reference, const Tensor& candidate,
                               size_t rows_of_candidate) {
  Shape a = reference.shape(), b = candidate.shape();
  if (a.size() != b.size() || reference.dtype() != candidate.dtype()) return std::nullopt;
  for (size_t axis = 0; axis < a.size(); ++axis) {
    if (a[axis] == static_cast<int64_t>(rows_of_reference) &&
        b[axis] == static_cast<int64_t>(rows_of_candidate)) {
      a[axis] = b[axis];
      return a == b ? std::optional(axis) : std::nullopt;
    }
    if (a[axis] != 1) return std::nullopt;
  }
  return std::nullopt;
}

/// Rows that lists are to have, and along which axis.
struct RowOrder {
  const std::vector<RowPair>& pairs;
  size_t axis;
};

/// A list with these rows; a row that `own` says is kNone is copied from the other side with a score of 0.
Tensor with_rows(const Tensor& list, const Tensor& other, const RowOrder& order, size_t RowPair::*own,
                 const ScoreBytes& score) {
  size_t RowPair::*others = own == &RowPair::reference ? &RowPair::candidate : &RowPair::reference;
  Shape shape = list.shape();
  const size_t of_row = std::accumulate(
      shape.begin() + static_cast<std::ptrdiff_t>(order.axis) + 1, shape.end(), size_of(list.dtype()),
      [](size_t size, int64_t extent) { return size * static_cast<size_t>(extent); });
  shape[order.axis] = static_cast<int64_t>(order.pairs.size());
  Tensor result(list.dtype(), shape);
  auto* to = static_cast<std::byte*>(result.mutable_bytes());
  for (const RowPair& pair : order.pairs) {
    const bool is_own = pair.*own != kNone;
    const auto* from = static_cast<const std::byte*>(is_own ? list.bytes() : other.bytes());
    std::memcpy(to, from + (is_own ? pair.*own : pair.*others) * of_row, of_row);
    if (!is_own) std::memset(to + score.begin, 0, score.size);
    to += of_row;
  }
  return result;
}

}  // namespace

RowPlaces::RowPlaces(const Shape& shape, bool rows_last) : rows_last_(rows_last) {
  Shape rows = shape;
  if (rows.size() == 4) rows.erase(rows.begin());
  if (rows.size() == 1) rows.push_back(1);
  if (rows.size() == 2) rows.insert(rows.begin(), 1);
  of_sample_ = static_cast<size_t>(rows[rows_last ? 2 : 1]);
  columns_ = static_cast<size_t>(rows[rows_last ? 1 : 2]);
  count_ = static_cast<size_t>(rows[0]) * of_sample_;
}

std::vector<Box> read_boxes(const BoxLayout& layout, const std::vector<Tensor>& outputs, double least) {
  std::vector<Box> found = all_boxes(layout, outputs);
  std::erase_if(found, [&](const Box& box) { return !(box.score >= least && box.score > 0); });
  sort_by_score(found);
  if (found.size() > kMostBoxes) found.resize(kMostBoxes);
  return layout.is_list ? found : without_doubles(found, kSameObject);
}

std::vector<Box> read_all_boxes(const BoxLayout& layout, const std::vector<Tensor>& outputs) {
  std::vector<Box> found;
  if (layout.is_list) {
    found = read_boxes(layout, outputs, 0);
  } else {
    const std::vector<Box> boxes = all_boxes(layout, outputs);
    const ScoreReader scores(layout, outputs[layout.scores_output]);
    for (size_t row = 0; row < boxes.size(); ++row)
      for (const auto& [label, score] : scores.of_classes(row, kLeastLabelled)) {
        found.push_back(boxes[row]);
        found.back().label = label;
        found.back().score = score;
      }
    sort_by_score(found);
    found = without_doubles(found, kDouble);
  }
  if (found.size() > kMostLabelled) found.resize(kMostLabelled);
  return found;
}

std::vector<bool> noticed_rows(const BoxLayout& layout, const Tensor& reference, const Tensor& candidate) {
  const ScoreReader a(layout, reference), b(layout, candidate);
  std::vector<bool> noticed(a.count());
  for (size_t row = 0; row < noticed.size(); ++row)
    noticed[row] = a.best(row).second >= kNoticed || !(b.best(row).second < kNoticed);
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

void align_lists(const BoxLayout& layout, std::vector<Tensor>& reference, std::vector<Tensor>& candidate) {
  const std::vector<Box> expected = all_boxes(layout, reference), found = all_boxes(layout, candidate);
  const std::vector<RowPair> pairs = pair_rows(expected, found);
  std::vector<size_t> lists = layout.companions;
  if (layout.selection_output) {
    lists.push_back(*layout.selection_output);
  } else {
    lists.push_back(layout.scores_output);
    if (layout.boxes_output) lists.push_back(*layout.boxes_output);
    if (layout.labels_output) lists.push_back(*layout.labels_output);
  }
  for (const size_t list : lists) {
    const std::optional<size_t> axis =
        row_axis(reference[list], expected.size(), candidate[list], found.size());
    if (!axis) continue;
    const RowOrder order{pairs, *axis};
    ScoreBytes score;
    if (list == layout.scores_output && !layout.selection_output) {
      const size_t element = size_of(reference[list].dtype());
      score = {layout.columns ? layout.columns->score * element : 0, element};
    }
    Tensor ordered = with_rows(reference[list], candidate[list], order, &RowPair::reference, score);
    candidate[list] = with_rows(candidate[list], reference[list], order, &RowPair::candidate, score);
    reference[list] = std::move(ordered);
  }
}

}  // namespace quantize
