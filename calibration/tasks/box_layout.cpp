// Telling layouts of detections. Read find_layout() at the end.
#include "calibration/tasks/box_layout.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "calibration/tasks/box_rows.h"

namespace quantize {

namespace {

bool are_corners(const Rows& rows, size_t first = 0) {
  return rows.all([&](size_t r) {
    return rows.at(r, first + 2) >= rows.at(r, first) && rows.at(r, first + 3) >= rows.at(r, first + 1);
  });
}

bool are_sizes(const Rows& rows) {
  return rows.all([&](size_t r) { return rows.at(r, 2) >= 0 && rows.at(r, 3) >= 0; });
}

bool are_probabilities(const Rows& rows, size_t first, size_t end) {
  constexpr double kRounding = 1e-3;
  return rows.all([&](size_t r) {
    for (size_t c = first; c < end; ++c)
      if (!(rows.at(r, c) >= -kRounding && rows.at(r, c) <= 1 + kRounding)) return false;
    return true;
  });
}

/// Numbers of classes; -1 fills what is left over of a list.
bool are_class_numbers(const Rows& rows, size_t column) {
  return rows.all([&](size_t r) {
    return rows.at(r, column) >= -1 && rows.at(r, column) == std::floor(rows.at(r, column));
  });
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

/// Reads which scores are probabilities already; of others, and of a Softmax, which class is the background: the first
/// or the last one, if it is the best of most boxes. Behind a Softmax there is one, the first unless nearly all
/// boxes say the last. Logits of a Sigmoid are below 0 where there is nothing.
void tell_scores(const Tensor& scores, bool by_softmax, BoxLayout& layout) {
  const Rows rows(scores, layout.rows_last);
  const size_t classes = rows.columns();
  const bool ready = are_probabilities(rows, 0, classes);
  std::vector<size_t> best(classes, 0);
  for (size_t r = 0; r < rows.count(); ++r) {
    size_t place = 0;
    for (size_t c = 1; c < classes; ++c)
      if (rows.at(r, c) > rows.at(r, place)) place = c;
    if (rows.at(r, place) > 0) ++best[place];
  }
  constexpr double kMost = 0.5, kNearlyAll = 0.75;
  const auto is_best_of = [&](size_t count, double share) {
    return static_cast<double>(count) > share * static_cast<double>(rows.count());
  };
  if (classes > 1 && is_best_of(best.back(), by_softmax ? kNearlyAll : kMost))
    layout.background = classes - 1;
  else if (classes > 1 && (by_softmax || is_best_of(best.front(), kMost)))
    layout.background = 0;
  if (ready && !by_softmax) layout.background.reset();  // each score stands for itself
  if (!ready) layout.scores = layout.background ? BoxLayout::Scores::kSoftmax : BoxLayout::Scores::kSigmoid;
}

/// One output among all of a run, by its extents.
class Outputs {
 public:
  explicit Outputs(const OutputView& view) : view_(view), tensors_(view.outputs()) {}

  size_t count() const { return tensors_.size(); }
  const Tensor& operator[](size_t o) const { return tensors_[o]; }
  const Shape& shape(size_t o) const { return tensors_[o].shape(); }

  /// Boxes of a list or of all places: [K, 4] of no batch, or [1, K, 4].
  std::optional<int64_t> boxes(size_t o) const {
    const Shape& shape = tensors_[o].shape();
    if (!is_float(tensors_[o].dtype()) || shape.size() < 2 || shape.size() > 3 || shape.back() != 4)
      return std::nullopt;
    if (shape.size() == 2 && shape[0] == view_.batch()) return std::nullopt;
    return shape[shape.size() - 2];
  }

  /// One number for each of so many boxes: [K] or [1, K] or [1, K, 1].
  bool is_list(size_t o, int64_t boxes) const {
    const Shape& shape = tensors_[o].shape();
    return tensors_[o].size() == boxes && !shape.empty() &&
           (shape[0] == boxes || (shape.size() > 1 && shape[0] == 1 && shape[1] == boxes));
  }

  /// An entry of several numbers for each of so many boxes.
  bool has_entries(size_t o, int64_t boxes) const {
    const Shape& shape = tensors_[o].shape();
    return shape.size() > 1 && (shape[0] == boxes || (shape[0] == 1 && shape[1] == boxes));
  }

  bool is_whole(size_t o) const {
    return !is_float(tensors_[o].dtype()) ||
           (tensors_[o].size() != 0 && are_class_numbers(Rows(column_of(o), false), 0));
  }
  bool is_score(size_t o) const {
    return is_float(tensors_[o].dtype()) && are_probabilities(Rows(column_of(o), false), 0, 1);
  }

  /// True if no number is above the one in front of it, as a TopK or NonMaxSuppression leaves them.
  bool is_sorted(size_t o) const {
    const auto values = tensors_[o].to_vector<float>();
    return std::is_sorted(values.begin(), values.end(), std::greater<>());
  }

 private:
  Tensor column_of(size_t o) const {
    return Tensor::of({1, tensors_[o].size(), 1}, tensors_[o].to_vector<float>());
  }

  const OutputView& view_;
  const std::vector<Tensor>& tensors_;
};

/// Chosen by a NonMaxSuppression, whose list of indices is an output, of boxes and scores that are outputs.
std::optional<BoxLayout> selection_layout(const OutputView& view) {
  const Outputs outputs(view);
  for (size_t s = 0; s < outputs.count(); ++s) {
    if (outputs.shape(s).size() < 2 || outputs.shape(s).back() != 3 ||
        view.ending_of_output(s).ending != Ending::kSelection)
      continue;
    for (size_t b = 0; b < outputs.count(); ++b)
      for (size_t c = 0; c < outputs.count(); ++c) {
        const Shape& scores = outputs.shape(c);
        if (!outputs.boxes(b) || outputs.shape(b).size() != 3 || scores.size() != 3 || b == c ||
            scores[2] != outputs.shape(b)[1])
          continue;
        return BoxLayout{.scores_output = c,
                         .boxes_output = b,
                         .selection_output = s,
                         .corners = are_corners(Rows(outputs[b], false)),
                         .is_list = true};
      }
  }
  return std::nullopt;
}

/// Boxes, scores and classes as lists of one length.
std::optional<BoxLayout> list_layout(const OutputView& view) {
  const Outputs outputs(view);
  for (size_t b = 0; b < outputs.count(); ++b) {
    const std::optional<int64_t> count = outputs.boxes(b);
    if (!count || *count == view.batch()) continue;
    BoxLayout layout{.boxes_output = b, .corners = are_corners(Rows(outputs[b], false)), .is_list = true};
    std::optional<size_t> scores;
    for (size_t o = 0; o < outputs.count(); ++o) {
      if (o == b || !outputs.is_list(o, *count)) continue;
      if (!layout.labels_output && outputs.is_whole(o))
        layout.labels_output = o;
      else if (!scores && outputs.is_score(o))
        scores = o;
    }
    if (!scores || (!layout.corners && !are_sizes(Rows(outputs[b], false)))) continue;
    if (!layout.labels_output && outputs.shape(b).size() == 3 && !outputs.is_sorted(*scores)) continue;
    layout.scores_output = *scores;
    for (size_t o = 0; o < outputs.count(); ++o)
      if (o != b && o != *scores && o != layout.labels_output && outputs.has_entries(o, *count))
        layout.companions.push_back(o);
    return layout;
  }
  return std::nullopt;
}

/// A list in one output: [K, 6], [K, 7] with the number of the sample in front, [1, K, 6], [1, 1, K, 7].
std::optional<BoxLayout> columns_layout(const OutputView& view) {
  using Columns = BoxLayout::ListColumns;
  constexpr std::array<Columns, 3> kOfSix = {{{0, 4, 5}, {0, 5, 4}, {2, 1, 0}}};
  constexpr std::array<Columns, 3> kOfSeven = {{{1, 6, 5}, {1, 5, 6}, {3, 2, 1}}};
  const Shape& shape = view.shape();
  const int64_t columns = shape.empty() ? 0 : shape.back();
  const bool is_list = (shape.size() == 2 && shape[0] != view.batch()) ||
                       (shape.size() == 3 && shape[0] == 1) ||
                       (shape.size() == 4 && shape[0] == 1 && shape[1] == 1);
  if (!view.is_float() || view.tensor().size() == 0 || !is_list || (columns != 6 && columns != 7))
    return std::nullopt;
  const Rows rows(view.tensor(), false);
  if (columns == 7 && !are_class_numbers(rows, 0)) return std::nullopt;
  for (const Columns& order : columns == 6 ? kOfSix : kOfSeven)
    if (are_class_numbers(rows, order.label) && are_probabilities(rows, order.score, order.score + 1) &&
        are_corners(rows, order.box))
      return BoxLayout{.scores_output = view.number(), .corners = true, .is_list = true, .columns = order};
  return std::nullopt;
}

std::string role_in(const BoxLayout& layout, size_t output) {
  if (layout.boxes_output == output) return "boxes";
  if (layout.labels_output == output) return "classes";
  if (layout.selection_output == output) return "the choice";
  return "further values";
}

bool has_part(const BoxLayout& layout, size_t output) {
  return layout.scores_output == output || layout.boxes_output == output || layout.labels_output == output ||
         layout.selection_output == output ||
         std::find(layout.companions.begin(), layout.companions.end(), output) != layout.companions.end();
}

/// The part of an output in a layout of several outputs.
FoundLayout part_in(const BoxLayout& layout, const OutputView& view, const std::string& kind) {
  if (layout.scores_output == view.number())
    return {layout,
            "scores of " + kind + " in '" + view.name(*layout.boxes_output) + "'" +
                (layout.labels_output ? ", classes in '" + view.name(*layout.labels_output) + "'" : "") +
                (layout.selection_output ? ", chosen by '" + view.name(*layout.selection_output) + "'" : "")};
  return {std::nullopt, role_in(layout, view.number()) + " of '" + view.name(layout.scores_output) +
                            "', which has their agreement, if there is one"};
}

/// Scores [1, M, C] beside boxes [1, M, 4].
std::optional<FoundLayout> layout_beside(const OutputView& view) {
  const Outputs outputs(view);
  const Shape& shape = view.shape();
  if (shape.size() != 3 || !view.is_float()) return std::nullopt;
  for (size_t other = 0; other < outputs.count(); ++other) {
    const Shape& partner = outputs.shape(other);
    if (other == view.number() || partner.size() != 3 || partner[1] != shape[1] ||
        !is_float(outputs[other].dtype()) || (shape[2] == 4) == (partner[2] == 4))
      continue;
    if (shape[2] == 4)
      return FoundLayout{std::nullopt,
                         "boxes of '" + view.name(other) + "', which has their agreement, if there is one"};
    const Rows boxes(outputs[other], false);
    BoxLayout layout{.scores_output = view.number(), .boxes_output = other, .corners = are_corners(boxes)};
    if (!layout.corners && !are_sizes(boxes))
      return FoundLayout{std::nullopt, "scores of '" + view.name(other) +
                                           "', whose numbers are no boxes: they are not decoded"};
    tell_scores(view.tensor(), view.kind() == Ending::kProbabilities, layout);
    return FoundLayout{layout, "scores of the boxes in '" + view.name(other) + "'"};
  }
  return std::nullopt;
}

}  // namespace

std::optional<BoxLayout> layout_of(const OutputView& output) {
  constexpr int64_t kLeastColumns = 5;
  const Shape& shape = output.shape();
  if (output.tensor().size() == 0) return std::nullopt;
  if (std::optional<BoxLayout> list = columns_layout(output)) return list;
  if (shape.size() != 3 || std::min(shape[1], shape[2]) < kLeastColumns || shape[1] == shape[2])
    return std::nullopt;
  BoxLayout layout{.scores_output = output.number(), .rows_last = shape[1] < shape[2]};
  const Rows rows(output.tensor(), layout.rows_last);
  layout.corners = are_corners(rows);
  layout.objectness = !layout.rows_last && rows.columns() > kLeastColumns;
  if (!are_probabilities(rows, 4, rows.columns())) layout.scores = BoxLayout::Scores::kSigmoid;
  if (layout.corners || are_sizes(rows)) return layout;
  const std::optional<std::array<int64_t, 2>> image = image_size(output.inputs());
  if (!image) return std::nullopt;
  layout.height = (*image)[0];
  layout.width = (*image)[1];
  layout.strides = strides_of(rows.count(), layout.height, layout.width);
  if (layout.strides.empty()) return std::nullopt;
  return layout;
}

std::optional<FoundLayout> find_layout(const OutputView& output) {
  if (const auto chosen = selection_layout(output); chosen && has_part(*chosen, output.number()))
    return part_in(*chosen, output, "the boxes");
  if (const auto list = list_layout(output); list && has_part(*list, output.number()))
    return part_in(*list, output, "a list of boxes");
  if (const auto list = columns_layout(output)) return FoundLayout{list, describe(*list, output.tensor())};
  if (auto beside = layout_beside(output)) return beside;
  if (output.kind() != Ending::kJoined) return std::nullopt;
  const std::optional<BoxLayout> layout = layout_of(output);
  if (!layout) return std::nullopt;
  return FoundLayout{layout, describe(*layout, output.tensor())};
}

std::string describe(const BoxLayout& layout, const Tensor& output) {
  const RowPlaces places(output.shape(), layout.rows_last);
  std::string text = std::to_string(places.count()) + " rows of a box, ";
  if (layout.columns) return text + "a score and a class";
  if (layout.objectness) text += "objectness and ";
  const size_t scores = places.columns() - (layout.objectness ? 5 : 4);
  return text + std::to_string(scores) + (scores == 1 ? " score" : " scores") +
         (layout.strides.empty() ? "" : ", in cells of grids");
}

}  // namespace quantize
