// Numbers are sorted, so that a cluster is a run of them and its mean a difference of two sums. Read Line::fitted first.
#include "core/quantization/modes/codebook.h"

#include <algorithm>
#include <utility>

namespace quantize {

namespace {

constexpr int kMostRounds = 200;

/// Sorted numbers.
class Line {
 public:
  explicit Line(std::vector<float> values) : x_(std::move(values)), sums_(1), squares_(1) {
    std::sort(x_.begin(), x_.end());
    for (const float x : x_) {
      sums_.push_back(sums_.back() + double{x});
      squares_.push_back(squares_.back() + double{x} * double{x});
    }
  }

  std::vector<double> distinct() const {
    std::vector<double> values(x_.begin(), x_.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values;
  }

  /// Levels with as many numbers between each two.
  std::vector<double> by_rank(size_t count) const {
    std::vector<double> levels;
    for (size_t k = 0; k < count; ++k) levels.push_back(x_[(2 * k + 1) * x_.size() / (2 * count)]);
    return levels;
  }
  /// Levels with the same distance between each two.
  std::vector<double> by_distance(size_t count) const {
    std::vector<double> levels;
    const double low = x_.front(), width = double{x_.back()} - low;
    for (size_t k = 0; k < count; ++k)
      levels.push_back(low + width * (static_cast<double>(k) + 0.5) / static_cast<double>(count));
    return levels;
  }

  /// Moves each level to the mean of the numbers that are nearest to it, as often as that changes anything.
  /// Returns the sum of squared distances.
  double fit(std::vector<double>& levels) const {
    std::vector<size_t> ends = ends_of(levels);
    for (int round = 0; round < kMostRounds; ++round) {
      for (size_t k = 0; k < levels.size(); ++k)
        if (begin_of(ends, k) != ends[k]) levels[k] = mean(begin_of(ends, k), ends[k]);
      fill_empty(levels, ends);
      std::vector<size_t> next = ends_of(levels);
      if (next == ends) break;
      ends = std::move(next);
    }
    double error = 0;
    for (size_t k = 0; k < levels.size(); ++k) error += spread(begin_of(ends, k), ends[k]);
    return error;
  }

 private:
  static size_t begin_of(const std::vector<size_t>& ends, size_t cluster) {
    return cluster == 0 ? 0 : ends[cluster - 1];
  }

  /// Where the numbers that are nearest to each level end.
  std::vector<size_t> ends_of(const std::vector<double>& levels) const {
    std::vector<size_t> ends;
    for (size_t k = 0; k + 1 < levels.size(); ++k) {
      const double middle = (levels[k] + levels[k + 1]) / 2;
      ends.push_back(static_cast<size_t>(std::upper_bound(x_.begin(), x_.end(), middle) - x_.begin()));
    }
    ends.push_back(x_.size());
    return ends;
  }

  double mean(size_t begin, size_t end) const {
    return (sums_[end] - sums_[begin]) / static_cast<double>(end - begin);
  }
  /// The sum of squared distances from the mean.
  double spread(size_t begin, size_t end) const {
    if (begin == end) return 0;
    const double sum = sums_[end] - sums_[begin];
    return std::max(0.0, squares_[end] - squares_[begin] - sum * sum / static_cast<double>(end - begin));
  }

  /// A level without numbers goes to the end of the widest spread cluster that is farther from its mean.
  void fill_empty(std::vector<double>& levels, const std::vector<size_t>& ends) const {
    std::vector<bool> split(levels.size(), false);
    for (size_t k = 0; k < levels.size(); ++k) {
      if (begin_of(ends, k) != ends[k]) continue;
      size_t widest = levels.size();
      double most = 0;
      for (size_t c = 0; c < ends.size(); ++c)
        if (const double own = spread(begin_of(ends, c), ends[c]); own > most && !split[c]) {
          most = own;
          widest = c;
        }
      if (widest == levels.size()) break;
      split[widest] = true;
      const double low = x_[begin_of(ends, widest)], high = x_[ends[widest] - 1];
      levels[k] = levels[widest] - low > high - levels[widest] ? low : high;
    }
    std::sort(levels.begin(), levels.end());
  }

  std::vector<float> x_;
  std::vector<double> sums_, squares_;  // of the numbers in front of a place
};

}  // namespace

std::vector<float> fit_levels(std::vector<float> values, size_t count) {
  const Line line(std::move(values));
  std::vector<double> best = line.distinct();
  if (best.size() > count) {
    best = line.by_rank(count);
    std::vector<double> other = line.by_distance(count);
    if (line.fit(best) > line.fit(other)) best = std::move(other);
  }
  std::vector<float> levels(best.begin(), best.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  return levels;
}

size_t nearest_level(const std::vector<float>& levels, float value) {
  const auto above = std::lower_bound(levels.begin(), levels.end(), value);
  if (above == levels.begin()) return 0;
  const auto place = static_cast<size_t>(above - levels.begin());
  if (above == levels.end()) return place - 1;
  return double{value} - double{levels[place - 1]} <= double{*above} - double{value} ? place - 1 : place;
}

}  // namespace quantize
