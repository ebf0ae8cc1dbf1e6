// entropy: the clipping that changes the distribution least, by the Kullback-Leibler divergence. Read
// divergence() in tests/unit/calibration/statistics/calibrators/entropy_test.cpp first: the definition as a
// simple loop, which Search equals. Source of the idea: S. Migacz, 8-bit Inference with TensorRT, GTC 2017.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "calibration/statistics/calibrators/calibrators.h"

namespace quantize {

namespace {

/// Elements that no range may leave out, as a share: KL alone would cut smooth distributions absurdly short.
constexpr double kCoverage = 0.999;

/// Finds how many bins to keep, from the first on.
///
/// To keep i of the counts c: P = c[0, i) with everything beyond added to its last bin. Q = c[0, i) in
/// `levels` groups [g * i / levels, (g + 1) * i / levels), the sum of each spread evenly over those of its
/// bins that are not empty in P. A last group that is empty but for what was added to P counts as one
/// element: clipping a lone outlier costs little, not everything. Taken is the i >= levels with the least
/// KL(P || Q), the largest of equals.
///
/// With S and n a group's sum and number of non-empty bins, N the sum of all and K of those kept,
///
///   N * KL = sum over groups of (sum of P log P - (sum of P) log(S / n))  +  N log(K / N)
///
/// where every group but the last has P = c: its term depends only on where it starts and on its length,
/// which is i / levels or one more. So terms are computed once for all i that share i / levels. They are not
/// negative, nor is the rest, so a sum that exceeds the best can stop.
class Search {
 public:
  Search(const std::vector<uint64_t>& counts, size_t levels)
      : counts_(counts), levels_(levels), sums_(counts.size() + 1), filled_(counts.size() + 1) {
    for (size_t k = 0; k < counts.size(); ++k) {
      sums_[k + 1] = sums_[k] + counts[k];
      filled_[k + 1] = filled_[k] + (counts[k] != 0 ? 1 : 0);
    }
  }

  /// At least `floor` bins and kCoverage of the elements.
  size_t best(size_t floor) {
    const size_t all = counts_.size();
    const double needed = kCoverage * static_cast<double>(sums_[all]);
    size_t least = std::max(floor, levels_);
    while (least < all && static_cast<double>(sums_[least]) < needed) ++least;
    size_t best = all;
    double best_divergence = std::numeric_limits<double>::infinity();
    for (size_t kept = all; kept >= least && kept >= 1; --kept) {
      const double divergence = divergence_of(kept, best_divergence);
      if (divergence < best_divergence) {
        best = kept;
        best_divergence = divergence;
      }
    }
    return best;
  }

 private:
  /// c log c of the bins [start, start + length), in which `extra` is added to the last.
  double self_information(size_t start, size_t length, uint64_t extra) const {
    double sum = 0;
    for (size_t k = start; k < start + length; ++k) {
      const auto count = static_cast<double>(counts_[k] + (k + 1 == start + length ? extra : 0));
      if (count != 0) sum += count * std::log(count);
    }
    return sum;
  }

  /// A group's term. `extra` is not in S, but in P.
  double group_term(size_t start, size_t length, uint64_t extra) const {
    const auto sum = static_cast<double>(sums_[start + length] - sums_[start]);
    const bool fills_last = extra != 0 && counts_[start + length - 1] == 0;
    const size_t filled = filled_[start + length] - filled_[start] + (fills_last ? 1 : 0);
    if (filled == 0) return 0;
    return self_information(start, length, extra) -
           (sum + static_cast<double>(extra)) * std::log(std::max(sum, 1.0) / static_cast<double>(filled));
  }

  /// The term of a group that is not the last.
  double term(std::vector<double>& known, size_t start, size_t length) const {
    if (std::isnan(known[start])) known[start] = group_term(start, length, 0);
    return known[start];
  }

  /// Makes shorter_ and longer_ those of groups of `length` and one more.
  void set_length(size_t length) {
    if (length == length_) return;
    std::vector<double> unknown(counts_.size(), std::numeric_limits<double>::quiet_NaN());
    longer_ = length + 1 == length_ ? std::move(shorter_) : unknown;
    shorter_ = std::move(unknown);
    length_ = length;
  }

  /// N * KL, or anything above `limit` if it exceeds that.
  double divergence_of(size_t kept, double limit) {
    const size_t length = kept / levels_, remainder = kept % levels_;
    set_length(length);
    const size_t last_start = (levels_ - 1) * kept / levels_;
    const uint64_t outside = sums_.back() - sums_[kept];
    const bool is_last_empty = outside != 0 && sums_[kept] == sums_[last_start];
    const auto total = static_cast<double>(sums_.back());
    const auto inside = static_cast<double>(sums_[kept] + (is_last_empty ? 1 : 0));
    double sum = group_term(last_start, kept - last_start, outside) + total * std::log(inside / total);
    size_t start = 0, fraction = 0;
    for (size_t g = 0; g + 1 < levels_ && sum <= limit; ++g) {
      fraction += remainder;
      const bool is_longer = fraction >= levels_;
      if (is_longer) fraction -= levels_;
      sum += is_longer ? term(longer_, start, length + 1) : term(shorter_, start, length);
      start += length + (is_longer ? 1 : 0);
    }
    return sum;
  }

  const std::vector<uint64_t>& counts_;
  size_t levels_;
  std::vector<uint64_t> sums_;            // of the counts before each bin
  std::vector<size_t> filled_;            // how many of them are not 0
  size_t length_ = 0;                     // of the groups in shorter_
  std::vector<double> shorter_, longer_;  // by start; NaN where not computed yet
};

/// The bins of one side up to the largest element.
std::vector<uint64_t> used_bins(std::vector<uint64_t> side) {
  while (!side.empty() && side.back() == 0) side.pop_back();
  return side;
}

/// Keeps the first `kept` bins and adds the others to the last of them.
void fold(std::vector<uint64_t>& counts, size_t kept) {
  const auto end = counts.begin() + static_cast<std::ptrdiff_t>(kept);
  counts[kept - 1] = std::accumulate(end, counts.end(), counts[kept - 1]);
  counts.resize(kept);
}

/// Both sides of an asymmetric type share its levels: first the longer one is cut, then, in what that leaves,
/// the other. An exact zero costs nothing in any range, so zeros are left out.
Range cut_both(const std::vector<uint64_t>& below, const std::vector<uint64_t>& above, size_t levels,
               const TensorStatistics& statistics) {
  const bool above_first = above.size() >= below.size();
  const std::vector<uint64_t>& first = above_first ? above : below;
  const std::vector<uint64_t>& second = above_first ? below : above;
  std::vector<uint64_t> counts(second.rbegin(), second.rend());
  counts.insert(counts.end(), first.begin(), first.end());
  const size_t first_kept = Search(counts, levels).best(second.size() + 1) - second.size();
  fold(counts, second.size() + first_kept);
  std::reverse(counts.begin(), counts.end());
  const size_t second_kept = second.empty() ? 0 : Search(counts, levels).best(first_kept + 1) - first_kept;
  const auto above_kept = static_cast<double>(above_first ? first_kept : second_kept);
  const auto below_kept = static_cast<double>(above_first ? second_kept : first_kept);
  return range_from_bins(-below_kept, above_kept, statistics);
}

class EntropyCalibrator : public Calibrator {
 public:
  const char* name() const override { return "entropy"; }
  const char* description() const override { return "least Kullback-Leibler divergence (after TensorRT)"; }

  /// Full range where the type has as many levels as the histogram has bins: then it shows no difference.
  Range compute_range(const TensorStatistics& statistics, const RangeRequest& request) const override {
    const Steps steps = steps_of(request.type);
    std::vector<uint64_t> above = used_bins(statistics.histogram.positive);
    const std::vector<uint64_t> below = used_bins(statistics.histogram.negative);
    if (!request.type.symmetric) {
      const auto levels = static_cast<size_t>(steps.total);
      if (above.size() + below.size() <= levels) return full_range(statistics);
      return cut_both(below, above, levels, statistics);
    }
    above.resize(std::max(above.size(), below.size()));
    for (size_t k = 0; k < below.size(); ++k) above[k] += below[k];
    const auto levels = static_cast<size_t>(steps.above);
    if (above.size() <= levels) return full_range(statistics);
    const auto kept = static_cast<double>(Search(above, levels).best(1));
    return range_from_bins(-kept, kept, statistics);
  }
};

}  // namespace

const Calibrator& entropy_calibrator() {
  static const EntropyCalibrator calibrator;
  return calibrator;
}

}  // namespace quantize
