// max: everything that was seen.
#include "calibration/statistics/calibrators/calibrators.h"

namespace quantize {

namespace {

class MaxCalibrator : public Calibrator {
 public:
  const char* name() const override { return "max"; }
  const char* description() const override { return "smallest and largest element of all samples"; }
  Range compute_range(const TensorStatistics& statistics, const RangeRequest&) const override {
    return full_range(statistics);
  }
};

}  // namespace

const Calibrator& max_calibrator() {
  static const MaxCalibrator calibrator;
  return calibrator;
}

}  // namespace quantize
