// The common part of the calibrators: how a type divides a range.
#pragma once

#include "calibration/statistics/calibrator.h"

namespace quantize {

/// The steps of a type: how many lie above and below zero where its zero point is fixed, and how many in all.
struct Steps {
  int total = 0;
  int above = 0, below = 0;  // of a symmetric type
};
Steps steps_of(const QuantType& type);

/// A range given in bins, as real numbers inside full_range(statistics).
Range range_from_bins(double min, double max, const TensorStatistics& statistics);

}  // namespace quantize
