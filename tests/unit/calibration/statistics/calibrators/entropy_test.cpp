// The entropy calibrator against its definition, spelled out bin by bin.
#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <numeric>

#include "calibration/statistics/calibrator.h"
#include "tests/unit/calibration/statistics/distributions.h"
#include "tests/unit/calibration/statistics/statistics_support.h"

using namespace quantize;
using test::statistics_of_values;

namespace {

using Counts = std::vector<double>;

/// KL(P || Q) of keeping the first `kept` bins: P has all that is beyond in its last bin; Q is what `levels`
/// equal groups of bins can show of it, each group's sum spread evenly over the bins that are not empty in P.
double divergence(const Counts& counts, size_t kept, size_t levels) {
  Counts p(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(kept));
  p.back() = std::accumulate(counts.begin() + static_cast<std::ptrdiff_t>(kept), counts.end(), p.back());
  Counts q(kept);
  for (size_t g = 0; g < levels; ++g) {
    const size_t begin = g * kept / levels, end = (g + 1) * kept / levels;
    double sum = 0, filled = 0;
    for (size_t k = begin; k < end; ++k) {
      sum += counts[k];
      filled += p[k] != 0;
    }
    for (size_t k = begin; k < end; ++k)
      if (p[k] != 0) q[k] = std::max(sum, 1.0) / filled;
  }
  const double p_sum = std::accumulate(p.begin(), p.end(), 0.0);
  const double q_sum = std::accumulate(q.begin(), q.end(), 0.0);
  double result = 0;
  for (size_t k = 0; k < kept; ++k) {
    if (p[k] == 0) continue;
    result += p[k] / p_sum * std::log(p[k] / p_sum / (q[k] / q_sum));
  }
  return result;
}

/// The bins to keep, at least `floor` and 99.9 % of the elements; the most of equals.
size_t best_kept(const Counts& counts, size_t levels, size_t floor) {
  const double all = std::accumulate(counts.begin(), counts.end(), 0.0);
  size_t best = counts.size();
  double least = std::numeric_limits<double>::infinity(), covered = all;
  for (size_t kept = counts.size(); kept >= std::max(levels, floor); --kept) {
    if (covered < 0.999 * all) break;
    const double d = divergence(counts, kept, levels);
    if (d < least - 1e-13) {
      least = d;
      best = kept;
    }
    covered -= counts[kept - 1];
  }
  return best;
}

Counts used(const std::vector<uint64_t>& side) {
  Counts counts(side.begin(), side.end());
  while (!counts.empty() && counts.back() == 0) counts.pop_back();
  return counts;
}

void check_range(const Range& range, double below, double above, const TensorStatistics& statistics) {
  const double width = statistics.histogram.bin_width();
  CHECK(range.min == std::max(static_cast<float>(-below * width), std::min(statistics.min, 0.0f)));
  CHECK(range.max == std::min(static_cast<float>(above * width), std::max(statistics.max, 0.0f)));
}

Range entropy(const TensorStatistics& statistics, const QuantType& type = {}) {
  return find_calibrator("entropy").compute_range(statistics, {.type = type});
}

}  // namespace

TEST_CASE("entropy of one-signed data is the definition's") {
  for (const test::Distribution& data : test::distributions()) {
    const TensorStatistics statistics = statistics_of_values(data.values);
    const bool positive = statistics.histogram.negative.empty();
    if (!positive && !statistics.histogram.positive.empty()) continue;
    INFO(data.name);
    const Counts counts = used(positive ? statistics.histogram.positive : statistics.histogram.negative);
    for (int bits : {8, 4}) {
      const auto kept = static_cast<double>(best_kept(counts, (size_t{1} << bits) - 1, 1));
      check_range(entropy(statistics, {.dtype = DataType::kU8, .num_bits = bits}), positive ? 0 : kept,
                  positive ? kept : 0, statistics);
    }
  }
}

TEST_CASE("entropy of a symmetric type is the definition's on magnitudes") {
  const QuantType type{.dtype = DataType::kS8, .num_bits = 8, .symmetric = true, .narrow_range = true};
  for (const test::Distribution& data : test::distributions()) {
    INFO(data.name);
    const TensorStatistics statistics = statistics_of_values(data.values);
    Counts counts = used(statistics.histogram.positive);
    const Counts negative = used(statistics.histogram.negative);
    counts.resize(std::max(counts.size(), negative.size()));
    for (size_t k = 0; k < negative.size(); ++k) counts[k] += negative[k];
    const auto kept = static_cast<double>(best_kept(counts, 127, 1));
    check_range(entropy(statistics, type), kept, kept, statistics);
  }
}

TEST_CASE("entropy of two-sided data cuts the longer end first, then the other") {
  for (const char* name : {"normal", "silu", "uniform", "small"}) {
    INFO(name);
    std::vector<float> values;
    for (const test::Distribution& data : test::distributions())
      if (data.name == name) values = data.values;
    const TensorStatistics statistics = statistics_of_values(values);
    Counts above = used(statistics.histogram.positive), below = used(statistics.histogram.negative);
    const bool swapped = below.size() > above.size();
    if (swapped) std::swap(above, below);
    Counts line(below.rbegin(), below.rend());
    line.insert(line.end(), above.begin(), above.end());
    const size_t first = best_kept(line, 255, below.size() + 1) - below.size();
    const auto end = line.begin() + static_cast<std::ptrdiff_t>(below.size() + first);
    *(end - 1) = std::accumulate(end, line.end(), *(end - 1));
    line.erase(end, line.end());
    std::reverse(line.begin(), line.end());
    const size_t second = best_kept(line, 255, first + 1) - first;
    check_range(entropy(statistics), static_cast<double>(swapped ? first : second),
                static_cast<double>(swapped ? second : first), statistics);
  }
}

TEST_CASE("entropy does not see exact zeros") {
  std::vector<float> values = test::distributions()[4].values;
  const Range range = entropy(statistics_of_values(values));
  values.insert(values.end(), 100000, 0.0f);
  const Range spiked = entropy(statistics_of_values(values));
  CHECK(range.max == spiked.max);
}

TEST_CASE("entropy keeps everything where nothing is lost") {
  // As many levels as bins in use: every range shows the same.
  const TensorStatistics coarse = statistics_of_values({1, 2, 3, 4, 5, 6, 7, 100});
  CHECK(entropy(coarse).max == 100);
  CHECK(entropy(coarse, {.dtype = DataType::kU16, .num_bits = 16}).max == 100);
}

TEST_CASE("entropy never gives up more than 0.1 % of the elements") {
  for (const test::Distribution& data : test::distributions()) {
    INFO(data.name);
    const Range range = entropy(statistics_of_values(data.values), {.dtype = DataType::kU8, .num_bits = 2});
    size_t outside = 0, nonzero = 0;
    for (float value : data.values) {
      outside += value < range.min || value > range.max;
      nonzero += value != 0;
    }
    CHECK(static_cast<double>(outside) <= 0.002 * static_cast<double>(nonzero) + 1);
  }
}
