// mean: the average sample's extremes, so that one odd sample does not decide.
#include <algorithm>

#include "calibration/statistics/calibrators/calibrators.h"

namespace quantize {

namespace {

class MeanCalibrator : public Calibrator {
 public:
  const char* name() const override { return "mean"; }
  const char* description() const override { return "mean of the samples' smallest and largest elements"; }
  Range compute_range(const TensorStatistics& statistics, const RangeRequest&) const override {
    const Range full = full_range(statistics);
    const auto samples = static_cast<double>(statistics.samples);
    return {std::clamp(static_cast<float>(statistics.min_sum.value() / samples), full.min, 0.0f),
            std::clamp(static_cast<float>(statistics.max_sum.value() / samples), 0.0f, full.max)};
  }
};

}  // namespace

const Calibrator& mean_calibrator() {
  static const MeanCalibrator calibrator;
  return calibrator;
}

}  // namespace quantize
