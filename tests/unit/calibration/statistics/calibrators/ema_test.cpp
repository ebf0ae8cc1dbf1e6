// The ema calibrator against PyTorch's formula, sample by sample.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "calibration/statistics/calibrator.h"
#include "tests/unit/calibration/statistics/statistics_support.h"

using namespace quantize;

namespace {

/// One sample: its place in the list, and its elements.
struct Placed {
  uint64_t position = 0;
  std::vector<float> values;
};

/// Samples that grow and shrink slowly, with odd ones; some places of the list have none.
std::vector<Placed> drawn_samples(size_t count, bool skips, std::mt19937& random) {
  std::vector<Placed> samples;
  for (size_t i = 0; i < count; ++i) {
    if (skips && random() % 3 == 0) continue;
    const float size = 2 + std::sin(static_cast<float>(i) / 50) + (random() % 40 == 0 ? 30.0f : 0.0f);
    Placed sample{i, {}};
    for (int k = 0; k < 4; ++k)
      sample.values.push_back((static_cast<float>(random() % 2001) / 1000 - 0.7f) * size);
    samples.push_back(std::move(sample));
  }
  return samples;
}

/// MovingAverageMinMaxObserver.forward over all samples, and the range that calculate_qparams makes of it.
template <typename Real>
Range by_pytorch(const std::vector<Placed>& samples) {
  Real min = 0, max = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto [low, high] = std::minmax_element(samples[i].values.begin(), samples[i].values.end());
    min = i == 0 ? Real{*low} : min + static_cast<Real>(0.01) * (Real{*low} - min);
    max = i == 0 ? Real{*high} : max + static_cast<Real>(0.01) * (Real{*high} - max);
  }
  return {std::min(static_cast<float>(min), 0.0f), std::max(static_cast<float>(max), 0.0f)};
}

TensorStatistics statistics_of(const std::vector<Placed>& samples) {
  TensorStatistics statistics;
  for (const Placed& sample : samples)
    statistics.add(summarize(test::row(sample.values).view(), sample.position, std::nullopt, best_kernels()));
  return statistics;
}

Range ema_of(const TensorStatistics& statistics) {
  return find_calibrator("ema").compute_range(statistics, {});
}

}  // namespace

TEST_CASE("ema is PyTorch's moving average of the samples' extremes") {
  std::mt19937 random(7);
  for (const size_t count : {1, 2, 100, 5000})
    for (const bool skips : {false, true}) {
      INFO(count << " places" << (skips ? ", some of them skipped" : ""));
      const std::vector<Placed> samples = drawn_samples(count, skips && count > 2, random);
      const Range range = ema_of(statistics_of(samples));
      const Range exact = by_pytorch<double>(samples), rounded = by_pytorch<float>(samples);
      CHECK(double{range.min} == Approx(double{exact.min}).epsilon(2e-7));
      CHECK(double{range.max} == Approx(double{exact.max}).epsilon(2e-7));
      CHECK(double{range.min} == Approx(double{rounded.min}).epsilon(2e-5));
      CHECK(double{range.max} == Approx(double{rounded.max}).epsilon(2e-5));
    }
}

TEST_CASE("ema follows the order of the samples, whatever order they come in") {
  std::mt19937 random(11);
  for (const size_t count : {10, 5000}) {
    const std::vector<Placed> samples = drawn_samples(count, true, random);
    const TensorStatistics expected = statistics_of(samples);
    for (int round = 0; round < 3; ++round) {
      std::vector<std::vector<Placed>> parts(1 + random() % 5);
      for (const Placed& sample : samples) parts[random() % parts.size()].push_back(sample);
      for (std::vector<Placed>& part : parts) std::shuffle(part.begin(), part.end(), random);
      TensorStatistics merged;
      for (const std::vector<Placed>& part : parts) merged.add(statistics_of(part));
      CHECK(merged == expected);
    }
    std::vector<Placed> reversed = samples;
    for (Placed& sample : reversed) sample.position = count - sample.position;
    const Range forward = ema_of(expected), backward = ema_of(statistics_of(reversed));
    CHECK(forward.max != backward.max);
  }
}

TEST_CASE("ema of a value that is never 0 is widened to hold 0") {
  const Range above = ema_of(statistics_of({{0, {1, 2}}, {1, {2, 4}}}));
  CHECK(above.min == 0);
  CHECK(above.max == Approx(2.02));
  const Range below = ema_of(statistics_of({{0, {-1, -2}}, {1, {-2, -4}}}));
  CHECK(below.min == Approx(-2.02));
  CHECK(below.max == 0);
}
