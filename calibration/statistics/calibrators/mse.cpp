// mse: least expected squared error of quantization. Read MseCalibrator::compute_range
// first.
#include <algorithm>
#include <cmath>
#include <limits>

#include "calibration/statistics/calibrators/calibrators.h"

namespace quantize {

namespace {

/// Candidates per halving of the step: 2.2 % apart, where the error around its minimum is flat.
constexpr double kCandidatesPerOctave = 32;

/// Pixels of [-1, 1] lie halfway between the codes of just that range, where rounding errs by half a step
/// each time, three times the usual squared error. In a range one code wider they do not. It is taken only
/// for so much: it clips nothing, but steps are wider.
constexpr double kOffTheGrid = 0.75;

/// One sign's elements as a density that is constant in each bin, and its moments up to any magnitude (in
/// bins).
class Density {
 public:
  explicit Density(const std::vector<uint64_t>& side)
      : counts_(side.begin(), side.end()), below_(side.size() + 1) {
    for (size_t k = 0; k < side.size(); ++k) below_[k + 1] = moments_below(k, 1);
  }

  /// The squared error of all elements when magnitudes are rounded to multiples of `step`, at most `steps` of
  /// them: for every number of steps up to `max_steps`.
  std::vector<double> errors(double step, int max_steps) const {
    std::vector<double> result;
    if (counts_.empty()) return std::vector<double>(static_cast<size_t>(max_steps) + 1, 0.0);
    double inside = 0;  // error of what rounds to a level below this one
    Moments lower;
    for (int n = 0; n <= max_steps; ++n) {
      const double level = n * step;
      result.push_back(inside + error_about(level, lower, below_.back()));
      const Moments upper = moments_below(level + step / 2);
      inside += error_about(level, lower, upper);
      lower = upper;
    }
    return result;
  }

 private:
  /// Number, sum and sum of squares of the elements below a magnitude.
  struct Moments {
    double number = 0, sum = 0, squares = 0;
  };

  /// Of the bins before `bin` and the first `part` of that one.
  Moments moments_below(size_t bin, double part) const {
    const auto low = static_cast<double>(bin);
    const double number = counts_[bin] * part;
    return {below_[bin].number + number, below_[bin].sum + number * (low + part / 2),
            below_[bin].squares + number * (low * low + low * part + part * part / 3)};
  }

  Moments moments_below(double magnitude) const {
    if (magnitude >= static_cast<double>(counts_.size())) return below_.back();
    const auto bin = static_cast<size_t>(magnitude);
    return moments_below(bin, magnitude - static_cast<double>(bin));
  }

  /// Sum of (x - level)^2 over the elements between two magnitudes.
  static double error_about(double level, const Moments& from, const Moments& to) {
    return (to.squares - from.squares) - 2 * level * (to.sum - from.sum) +
           level * level * (to.number - from.number);
  }

  std::vector<double> counts_;
  std::vector<Moments> below_;  // up to the start of each bin
};

/// The best of what was offered; the first of equals.
struct Best {
  double error = std::numeric_limits<double>::infinity();
  Range range;

  void offer(double candidate_error, const Range& candidate) {
    if (!(candidate_error < error)) return;
    error = candidate_error;
    range = candidate;
  }
};

/// The steps to try: from `widest` down to the width of a bin, below which a histogram knows nothing.
std::vector<double> candidate_steps(double widest) {
  std::vector<double> result{widest};
  for (int i = 1; widest * std::exp2(-i / kCandidatesPerOctave) >= 1; ++i)
    result.push_back(widest * std::exp2(-i / kCandidatesPerOctave));
  return result;
}

/// The same where steps are powers of two, in bins of which each is one: from the first that is not below `widest`.
std::vector<double> power_of_two_steps(double widest) {
  std::vector<double> result{std::exp2(std::ceil(std::log2(widest)))};
  while (result.back() >= 2) result.push_back(result.back() / 2);
  return result;
}

class MseCalibrator : public Calibrator {
 public:
  const char* name() const override { return "mse"; }
  const char* description() const override { return "the clipping with the least expected squared error"; }

  /// Exact zeros have no error in any range. All lengths below are in bins.
  Range compute_range(const TensorStatistics& statistics, const RangeRequest& request) const override {
    if (statistics.min == 0 && statistics.max == 0) return {0, 0};
    return request.type.symmetric ? symmetric(statistics, steps_of(request.type), request.type.power_of_two)
                                  : asymmetric(statistics, steps_of(request.type));
  }

 private:
  /// The first step holds the full range.
  static Range symmetric(const TensorStatistics& statistics, const Steps& steps, bool powers_of_two) {
    const Density above(statistics.histogram.positive), below(statistics.histogram.negative);
    const Range full = full_range(statistics);
    const double magnitude = double{std::max(-full.min, full.max)} / statistics.histogram.bin_width();
    const double widest = magnitude / steps.above;
    const std::vector<double> candidates =
        powers_of_two ? power_of_two_steps(widest) : candidate_steps(widest);
    Best best;
    for (const double step : candidates) {
      const double error = above.errors(step, steps.above).back() + below.errors(step, steps.below).back();
      const double end = step * steps.above;
      best.offer(error, step == candidates.front() ? full : range_from_bins(-end, end, statistics));
    }
    return best.range;
  }

  /// With each step, every zero point whose range lies inside the full one; or a range one code wider than
  /// that.
  static Range asymmetric(const TensorStatistics& statistics, const Steps& steps) {
    const Density above(statistics.histogram.positive), below(statistics.histogram.negative);
    const Range full = full_range(statistics);
    const double width = statistics.histogram.bin_width();
    const double min = double{full.min} / width, max = double{full.max} / width;
    const double widest = (max - min) / steps.total;
    const auto full_zero = static_cast<int>(std::nearbyint(-min / widest));
    Best best;
    for (const double step : candidate_steps(widest)) {
      const std::vector<double> above_errors = above.errors(step, steps.total);
      const std::vector<double> below_errors = below.errors(step, steps.total);
      const auto error_with = [&](int zero) {
        return above_errors[static_cast<size_t>(steps.total - zero)] +
               below_errors[static_cast<size_t>(zero)];
      };
      if (step == widest) best.offer(error_with(full_zero), full);
      for (int zero = 0; zero <= steps.total; ++zero)
        if (zero * step <= -min && (steps.total - zero) * step <= max)
          best.offer(error_with(zero),
                     range_from_bins(-zero * step, (steps.total - zero) * step, statistics));
    }
    const double wider = widest * (1 + 1.0 / steps.total);
    const auto zero = static_cast<int>(std::ceil(-min / wider));
    const double error = above.errors(wider, steps.total - zero).back() + below.errors(wider, zero).back();
    if (error < kOffTheGrid * best.error)
      return {static_cast<float>(-zero * wider * width),
              static_cast<float>((steps.total - zero) * wider * width)};
    return best.range;
  }
};

}  // namespace

const Calibrator& mse_calibrator() {
  static const MseCalibrator calibrator;
  return calibrator;
}

}  // namespace quantize
