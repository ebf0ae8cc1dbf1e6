// Average precision of detections, as COCO defines it. Read average_precision().
#pragma once

#include <optional>
#include <vector>

#include "calibration/tasks/truth.h"

namespace quantize {

/// Boxes found in one sample, the best first, and those that are labelled, of the same classes and pixels.
struct LabelledBoxes {
  std::vector<Box> found;
  std::vector<TruthBox> truth;
};

/// Figures from 0 to 1; nothing if no box is labelled.
struct AveragePrecision {
  std::optional<double> at_50_to_95;  // mean over the overlaps 0.5, 0.55, ..., 0.95
  std::optional<double> at_50;
};

/// The mean over classes that have labelled boxes, of the precision at the recalls 0, 0.01, ..., 1.
///
/// Boxes of one class and sample, the best kMostOfClass, choose the labelled box of the largest overlap that is left, at
/// least that of the threshold; those that find only a crowd count nowhere. The overlap with a crowd is the
/// share of the box inside it. Precision at a recall is the best at that recall or a higher one.
/// Source: COCO's evaluation of boxes, areas of all sizes (pycocotools, COCOeval).
AveragePrecision average_precision(const std::vector<LabelledBoxes>& samples);
constexpr size_t kMostOfClass = 100;

}  // namespace quantize
