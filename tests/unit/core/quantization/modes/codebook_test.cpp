// k-means on numbers whose best levels are known.
#include "core/quantization/modes/codebook.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

using namespace quantize;
using Levels = std::vector<float>;

namespace {

double error_of(const Levels& values, const Levels& levels) {
  double error = 0;
  for (const float value : values) {
    const double d = double{value} - double{levels[nearest_level(levels, value)]};
    error += d * d;
  }
  return error;
}

/// The least error that any cut of the sorted numbers into so many runs leaves: dynamic programming.
double least_error(Levels values, size_t count) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  std::vector<double> before(n + 1, std::numeric_limits<double>::infinity());
  before[0] = 0;
  for (size_t k = 0; k < count; ++k) {
    std::vector<double> now(n + 1, std::numeric_limits<double>::infinity());
    for (size_t begin = 0; begin < n; ++begin) {
      double sum = 0, squares = 0;
      for (size_t end = begin + 1; end <= n; ++end) {
        const double x = values[end - 1];
        sum += x;
        squares += x * x;
        now[end] = std::min(now[end], before[begin] + squares - sum * sum / static_cast<double>(end - begin));
      }
    }
    before = now;
  }
  return before[n];
}

Levels drawn(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  Levels values;
  for (size_t i = 0; i < count; ++i) {
    double sum = 0;  // of uniform numbers: nearly normal, and the same in every library
    for (int k = 0; k < 12; ++k) sum += static_cast<double>(random() >> 8) / (1 << 24);
    values.push_back(static_cast<float>(sum - 6));
  }
  return values;
}

}  // namespace

TEST_CASE("codebook: no more numbers than levels are the levels", "[codebook]") {
  CHECK(fit_levels({3, -1, 3, 3, 0.5f}, 4) == Levels{-1, 0.5f, 3});
  CHECK(fit_levels({2}, 16) == Levels{2});
  CHECK(fit_levels({0, 0, 0}, 2) == Levels{0});
}

TEST_CASE("codebook: heaps of numbers have a level each, also an outlier", "[codebook]") {
  CHECK(fit_levels({1, 2, 3, 11, 12, 13, -100}, 3) == Levels{-100, 2, 12});
  CHECK(fit_levels({5, 1, 1, 1, 1, 1, 1, 9}, 2).size() == 2);
  CHECK(fit_levels({1, 2, 3, 6}, 1) == Levels{3});
}

TEST_CASE("codebook: the error is near the least there is", "[codebook]") {
  const size_t count = GENERATE(2, 4, 8, 16);
  const uint32_t seed = GENERATE(1, 2, 3);
  const Levels values = drawn(300, seed), levels = fit_levels(values, count);
  CAPTURE(count, seed);
  CHECK(levels.size() == count);
  CHECK(std::is_sorted(levels.begin(), levels.end()));
  CHECK(error_of(values, levels) <= 1.3 * least_error(values, count));
}

TEST_CASE("codebook: the order of the numbers changes nothing", "[codebook]") {
  Levels values = drawn(500, 4), turned(values.rbegin(), values.rend());
  CHECK(fit_levels(values, 16) == fit_levels(turned, 16));
}

TEST_CASE("codebook: many numbers of few kinds leave no level empty", "[codebook]") {
  Levels values(1000, 1.0f);
  for (int i = 0; i < 40; ++i) values.push_back(static_cast<float>(i) / 8);
  const Levels levels = fit_levels(values, 16);
  CHECK(levels.size() == 16);
  for (size_t k = 0; k < levels.size(); ++k)
    CHECK(std::any_of(values.begin(), values.end(), [&](float v) { return nearest_level(levels, v) == k; }));
}

TEST_CASE("codebook: of two levels as near, the lower one counts", "[codebook]") {
  const Levels levels = {-1, 0, 2};
  CHECK(nearest_level(levels, -7) == 0);
  CHECK(nearest_level(levels, -0.5f) == 0);
  CHECK(nearest_level(levels, 0.99f) == 1);
  CHECK(nearest_level(levels, 1) == 1);
  CHECK(nearest_level(levels, 1.01f) == 2);
  CHECK(nearest_level(levels, 7) == 2);
}
