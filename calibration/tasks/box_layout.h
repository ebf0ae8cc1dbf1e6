// How detectors write boxes. Read find_layout().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calibration/tasks/output_view.h"
#include "core/tensor.h"

namespace quantize {

/// How the rows of a detector's outputs are read: four numbers of a box, scores of classes.
struct BoxLayout {
  /// The scores as the network means them.
  enum class Scores { kAsTheyAre, kSigmoid, kSoftmax };
  /// The places in a row of a list that the graph has chosen: one score, one class.
  struct ListColumns {
    size_t box, score, label;
  };

  size_t scores_output = 0;
  std::optional<size_t> boxes_output = {};      // holds boxes alone; nothing: scores_output has both
  std::optional<size_t> labels_output = {};     // a list of class numbers beside boxes and scores
  std::optional<size_t> selection_output = {};  // rows of sample, class, box: those that count
  std::vector<size_t> companions = {};          // other outputs with an entry for each box of the list

  bool rows_last = false;   // [N, K, boxes] instead of [N, boxes, K]
  bool objectness = false;  // column 4 multiplies the scores behind it
  bool corners = false;     // x1 y1 x2 y2 instead of centre and size
  bool is_list = false;     // the graph has chosen the rows: their number or order depends on the scores
  std::optional<ListColumns> columns = {};  // of a list in one output
  Scores scores = Scores::kAsTheyAre;
  std::optional<size_t> background = {};  // the score that says that there is nothing
  /// Of the grids in whose cells positions count, and sizes by their logarithm; empty: positions and sizes as
  /// they are.
  std::vector<int64_t> strides = {};
  int64_t height = 0, width = 0;  // of the image; where there are strides
};

/// A layout, or what the output is to one of them.
struct FoundLayout {
  std::optional<BoxLayout> layout;  // nothing: the output has no boxes of its own to be compared
  std::string reason;               // for people
};

/// The layout of the detections that an output holds the scores of, told by shapes, numbers and what computes them:
///
///   selection [K, 3] of NonMaxSuppression, boxes [1, M, 4], scores [1, C, M]   the chosen boxes
///   boxes [K, 4] or [1, K, 4], scores [K] or [1, K], whole numbers of classes  a list; those alone: one class
///   [K, 6], [K, 7], [1, K, 6]: corners, a score and a class in some order      a list in one output
///   scores [1, M, C] beside boxes [1, M, 4]                                    all boxes, as SSD and DETR have them
///   [1, M, 5 + C] or [1, 4 + C, M] joined from heads                           all boxes, as YOLO has them
///
/// Nothing if the output has no part in detections.
std::optional<FoundLayout> find_layout(const OutputView& output);

/// The layout of one output that the user says holds boxes and scores, told by its numbers: which can be corners,
/// sizes, probabilities. Rows with objectness are taken from [N, boxes, K], rows without from [N, K, boxes],
/// as the detectors of the YOLO family write them. Nothing if the output has another shape, or sizes below 0
/// and no grids that explain them.
std::optional<BoxLayout> layout_of(const OutputView& output);

/// "3549 rows of a box, objectness and 80 scores".
std::string describe(const BoxLayout& layout, const Tensor& output);

}  // namespace quantize
