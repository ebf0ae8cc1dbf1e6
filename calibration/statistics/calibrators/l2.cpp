// l2: PyTorch's HistogramObserver: both ends move inward while the squared error of quantization falls. Read
// L2Calibrator::compute_range first.
#include <algorithm>
#include <cmath>
#include <limits>

#include "calibration/statistics/calibrators/calibrators.h"

namespace quantize {

namespace {

constexpr size_t kObservedBins = 2048;  // between the smallest and the largest element, as PyTorch has them

/// Counts in kObservedBins equal bins. The elements of a histogram's bin go where its middle lies.
class ObservedBins {
 public:
  explicit ObservedBins(const TensorStatistics& statistics)
      : min_(statistics.min),
        width_((double{statistics.max} - double{statistics.min}) / kObservedBins),
        counts_(kObservedBins) {
    const Histogram& histogram = statistics.histogram;
    const double step = histogram.bin_width();
    for (size_t k = 0; k < histogram.positive.size(); ++k)
      counts_[bin_of((static_cast<double>(k) + 0.5) * step)] += static_cast<double>(histogram.positive[k]);
    for (size_t k = 0; k < histogram.negative.size(); ++k)
      counts_[bin_of((static_cast<double>(k) + 0.5) * -step)] += static_cast<double>(histogram.negative[k]);
    counts_[bin_of(0)] += static_cast<double>(histogram.zeros);
  }

  const std::vector<double>& counts() const { return counts_; }
  double start_of(size_t bin) const { return min_ + static_cast<double>(bin) * width_; }

 private:
  size_t bin_of(double x) const {
    return static_cast<size_t>(std::clamp((x - min_) / width_, 0.0, kObservedBins - 1.0));
  }

  double min_, width_;
  std::vector<double> counts_;
};

/// The squared error, in bins, of elements at density 1 from `begin` to `end` about a level.
double error_between(double begin, double end) {
  return (end * end * end - begin * begin * begin) / 3;
}

/// The squared error, in bins, if `codes` levels divide the bins [first, last], each in the middle of its part.
double quantization_error(const std::vector<double>& counts, size_t first, size_t last, int codes) {
  const double step = static_cast<double>(last - first + 1) / codes;
  double error = 0;
  for (size_t bin = 0; bin < counts.size(); ++bin) {
    const double begin = static_cast<double>(bin) - static_cast<double>(first), end = begin + 1;
    const double begins_in = std::clamp(std::floor(begin / step), 0.0, codes - 1.0);
    const double ends_in = std::clamp(std::floor(end / step), 0.0, codes - 1.0);
    error += counts[bin] * (error_between(begin - (begins_in + 0.5) * step, step / 2) +
                            (ends_in - begins_in - 1) * error_between(-step / 2, step / 2) +
                            error_between(-step / 2, end - (ends_in + 0.5) * step));
  }
  return error;
}

class L2Calibrator : public Calibrator {
 public:
  const char* name() const override { return "l2"; }
  const char* description() const override {
    return "both ends move inward while the squared error falls, as PyTorch's HistogramObserver does";
  }

  /// One end at a time moves to the next quantile, 0.001 % of the elements further, the one that thereby passes
  /// more bins; the first range with a larger error than the one before ends the search. The error is that of all codes
  /// of the storage type, reduced ranges included, as PyTorch has it.
  /// Source: torch.ao.quantization.HistogramObserver._non_linear_param_search.
  Range compute_range(const TensorStatistics& statistics, const RangeRequest& request) const override {
    if (!(statistics.max > statistics.min)) return full_range(statistics);
    const ObservedBins bins(statistics);
    const auto [first, last] = best_bins(bins.counts(), 1 << (8 * size_of(request.type.dtype)));
    const double width = statistics.histogram.bin_width();
    return range_from_bins(bins.start_of(first) / width, bins.start_of(last + 1) / width, statistics);
  }

 private:
  static std::pair<size_t, size_t> best_bins(const std::vector<double>& counts, int codes) {
    constexpr double kQuantile = 1e-5;
    std::vector<double> sums(counts.size());
    double total = 0;
    for (size_t i = 0; i < counts.size(); ++i) sums[i] = total += counts[i];
    double alpha = 0, beta = 1, least = std::numeric_limits<double>::infinity();
    size_t first = 0, last = counts.size() - 1;
    while (alpha < beta) {
      const double next_alpha = alpha + kQuantile, next_beta = beta - kQuantile;
      size_t left = first, right = last;
      while (left < last && sums[left] < next_alpha * total) ++left;
      while (right > first && sums[right] > next_beta * total) --right;
      const bool moves_left = left - first > last - right;
      (moves_left ? alpha : beta) = moves_left ? next_alpha : next_beta;
      const size_t next_first = moves_left ? left : first, next_last = moves_left ? last : right;
      if (next_first == first && next_last == last) continue;
      const double error = quantization_error(counts, next_first, next_last, codes);
      if (error > least) break;
      least = error;
      first = next_first;
      last = next_last;
    }
    return {first, last};
  }
};

}  // namespace

const Calibrator& l2_calibrator() {
  static const L2Calibrator calibrator;
  return calibrator;
}

}  // namespace quantize
