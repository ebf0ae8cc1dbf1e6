// How detectors write boxes, and the boxes that two networks have in common.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace quantize {

/// How the rows of a detector's output are read: four numbers of a box, scores of classes.
struct BoxLayout {
  bool rows_last = false;     // [N, K, boxes] instead of [N, boxes, K]
  bool objectness = false;    // column 4 multiplies the scores behind it
  bool corners = false;       // x1 y1 x2 y2 instead of centre and size
  bool class_column = false;  // column 4 is a score, column 5 the number of its class
  bool background = false;    // a score of class 0 says that there is nothing
  bool logits = false;        // scores count as their Sigmoid
  /// Of the grids in whose cells positions count, and sizes by their logarithm; empty: positions and sizes as
  /// they are.
  std::vector<int64_t> strides = {};
  int64_t height = 0, width = 0;            // of the image; where there are strides
  std::optional<size_t> boxes_output = {};  // the output that holds the boxes alone; nothing: the same
};

/// The layout of an output with boxes and scores, told by its values in one run: which numbers can be
/// corners, sizes, probabilities. Rows with objectness are taken from [N, boxes, K], rows without from [N, K,
/// boxes], as the detectors of the YOLO family write them. Nothing if the output has another shape, or sizes
/// below 0 and no grids that explain them.
std::optional<BoxLayout> layout_of(const Tensor& output, const std::vector<Tensor>& inputs);

/// The same for scores [N, boxes, C] beside boxes [N, boxes, 4], output number `boxes_output`. Nothing if
/// these can be neither corners nor sizes, as the offsets from anchors of a detector that is not decoded.
std::optional<BoxLayout> layout_beside(const Tensor& scores, const Tensor& boxes, size_t boxes_output,
                                       bool has_background);

/// "3549 rows of a box, objectness and 80 scores".
std::string describe(const BoxLayout& layout, const Tensor& output);

/// A detected object: corners, score and class.
struct Box {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0, score = 0;
  size_t label = 0;
};

/// The boxes of one sample with a score of at least kConfident, without those that overlap a better one of
/// the same class (intersection over union above kSameObject); the best first.
std::vector<Box> read_boxes(const BoxLayout& layout, const Tensor& scores, const Tensor& boxes);
constexpr double kConfident = 0.25, kSameObject = 0.5;

/// The rows that say something: either network gives their best class a score of at least kNoticed. Programs
/// pass over all others, which are most, whatever stands in them.
/// Requires: scores of one shape, of any number of samples, whose rows follow each other.
std::vector<bool> noticed_rows(const BoxLayout& layout, const Tensor& reference, const Tensor& candidate);
constexpr double kNoticed = 0.05;

/// The candidate in the rows that are noticed, the reference in all others. `rows_last`: as BoxLayout has it.
Tensor in_rows(const std::vector<bool>& noticed, bool rows_last, const Tensor& reference,
               const Tensor& candidate);

/// How many boxes of one list have a partner of the same class in the other, with an intersection over union
/// of at least kSameObject; each has one partner at most, the best first.
size_t count_matches(const std::vector<Box>& reference, const std::vector<Box>& candidate);

}  // namespace quantize
