// ema: PyTorch's MovingAverageMinMaxObserver: a moving average of the samples' extremes, in the order of the samples.
#include <algorithm>

#include "calibration/statistics/calibrator.h"

namespace quantize {

namespace {

class EmaCalibrator : public Calibrator {
 public:
  const char* name() const override { return "ema"; }
  const char* description() const override {
    return "moving average of the samples' extremes, as PyTorch's MovingAverageMinMaxObserver has it";
  }

  /// The first sample's extremes; each later sample moves them by a hundredth of the way to its own:
  ///
  ///   min = min + 0.01 * (sample_min - min)
  ///
  /// With more than RecentExtremes::kMost samples, the first of these stands for all before it: their share of the
  /// result is below 1.2e-9.
  ///
  /// Accuracy: double; PyTorch's own sums are in f32.
  /// Source:   torch.ao.quantization.MovingAverageMinMaxObserver, averaging_constant=0.01.
  Range compute_range(const TensorStatistics& statistics, const RangeRequest&) const override {
    constexpr double kConstant = 0.01;
    const std::vector<SampleExtremes>& samples = statistics.recent.samples;
    double min = samples.front().min, max = samples.front().max;
    for (const SampleExtremes& sample : samples) {
      min += kConstant * (double{sample.min} - min);
      max += kConstant * (double{sample.max} - max);
    }
    const Range full = full_range(statistics);
    return {std::clamp(static_cast<float>(min), full.min, 0.0f),
            std::clamp(static_cast<float>(max), 0.0f, full.max)};
  }
};

}  // namespace

const Calibrator& ema_calibrator() {
  static const EmaCalibrator calibrator;
  return calibrator;
}

}  // namespace quantize
