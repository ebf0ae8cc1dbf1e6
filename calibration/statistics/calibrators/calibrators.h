// The common part of the calibrators: the list of them, and how a type divides a range.
#pragma once

#include "calibration/statistics/calibrator.h"

namespace quantize {

/// The calibrators, each in a file of its own name; all_calibrators() lists them.
const Calibrator& max_calibrator();
const Calibrator& mean_calibrator();
const Calibrator& percentile_calibrator();
const Calibrator& entropy_calibrator();
const Calibrator& mse_calibrator();
const Calibrator& l2_calibrator();

/// The steps of a type: how many lie above and below zero where its zero point is fixed, and how many in all.
struct Steps {
  int total = 0;
  int above = 0, below = 0;  // of a symmetric type
};
Steps steps_of(const QuantType& type);

/// A range given in bins, as real numbers inside full_range(statistics).
Range range_from_bins(double min, double max, const TensorStatistics& statistics);

}  // namespace quantize
