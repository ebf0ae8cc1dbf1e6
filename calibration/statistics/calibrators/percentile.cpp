// percentile: the range that holds a given share of all elements, zeros included.
#include "calibration/statistics/calibrators/calibrators.h"

namespace quantize {

namespace {

/// The magnitude, in bins, that `tail` elements of this side reach or exceed; elements are spread evenly in
/// their bin.
template <typename CountAt>
double magnitude_above(double tail, CountAt count_at) {
  double above = 0;
  for (size_t k = Histogram::kBins; k > 0; --k) {
    const auto count = static_cast<double>(count_at(k - 1));
    if (above + count > tail) return static_cast<double>(k) - (tail - above) / count;
    above += count;
  }
  return 0;
}

class PercentileCalibrator : public Calibrator {
 public:
  const char* name() const override { return "percentile"; }
  const char* description() const override { return "the range that holds --percentile % of all elements"; }

  /// The share that is cut is split between the ends where elements have both signs. A symmetric type cuts it
  /// from the magnitudes.
  Range compute_range(const TensorStatistics& statistics, const RangeRequest& request) const override {
    const Histogram& histogram = statistics.histogram;
    const auto count = [](const std::vector<uint64_t>& side) {
      return [&side](size_t k) { return side.empty() ? 0 : side[k]; };
    };
    double tail = static_cast<double>(histogram.total()) * (1 - request.percentile / 100);
    if (request.type.symmetric) {
      const double end = magnitude_above(
          tail, [&](size_t k) { return count(histogram.positive)(k) + count(histogram.negative)(k); });
      return range_from_bins(-end, end, statistics);
    }
    if (!histogram.positive.empty() && !histogram.negative.empty()) tail /= 2;
    return range_from_bins(-magnitude_above(tail, count(histogram.negative)),
                           magnitude_above(tail, count(histogram.positive)), statistics);
  }
};

}  // namespace

const Calibrator& percentile_calibrator() {
  static const PercentileCalibrator calibrator;
  return calibrator;
}

}  // namespace quantize
