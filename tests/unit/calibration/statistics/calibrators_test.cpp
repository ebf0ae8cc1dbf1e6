// Properties of every calibrator and every type.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "calibration/statistics/calibrator.h"
#include "core/error.h"
#include "tests/unit/calibration/statistics/distributions.h"
#include "tests/unit/calibration/statistics/statistics_support.h"

using namespace quantize;
using test::statistics_of_values;

namespace {

const std::vector<QuantType> kTypes = {
    {.dtype = DataType::kU8},
    {.dtype = DataType::kS8},
    {.dtype = DataType::kU8, .num_bits = 8, .symmetric = true},
    {.dtype = DataType::kS8, .num_bits = 8, .symmetric = true},
    {.dtype = DataType::kS8, .num_bits = 8, .symmetric = true, .narrow_range = true},
    {.dtype = DataType::kU8, .num_bits = 7},
    {.dtype = DataType::kU8, .num_bits = 4},
    {.dtype = DataType::kU8, .num_bits = 2},
    {.dtype = DataType::kS8, .num_bits = 2, .symmetric = true, .narrow_range = true},
    {.dtype = DataType::kU16, .num_bits = 16},
};

/// Calls body(calibrator, request) for every pair of them.
template <typename Body>
void for_each_combination(Body&& body) {
  for (const Calibrator* calibrator : all_calibrators())
    for (const QuantType& type : kTypes) {
      INFO(calibrator->name() << ", " << name_of(type.dtype) << " of " << type.num_bits << " bits"
                              << (type.symmetric ? ", symmetric" : ""));
      body(*calibrator, RangeRequest{.type = type});
    }
}

bool same(const Range& a, const Range& b) {
  return a.min == b.min && a.max == b.max;
}

}  // namespace

TEST_CASE("Calibrators are found by name") {
  for (const char* name : {"max", "mean", "entropy", "percentile", "mse"})
    CHECK(find_calibrator(name).name() == std::string(name));
  CHECK_THROWS_WITH(find_calibrator("kl"), Catch::Contains("'kl'") && Catch::Contains("entropy"));
}

TEST_CASE("A range lies inside what was seen, or is wider by less than a code, and holds 0") {
  for (const test::Distribution& data : test::distributions()) {
    INFO(data.name);
    const TensorStatistics statistics = statistics_of_values(data.values);
    for_each_combination([&](const Calibrator& calibrator, const RangeRequest& request) {
      const Range range = calibrator.compute_range(statistics, request);
      CHECK(range.min <= 0);
      CHECK(range.max >= 0);
      const Range full = full_range(statistics);
      const double code = (double{full.max} - double{full.min}) / ((1 << request.type.num_bits) - 2);
      CHECK(double{range.min} > double{full.min} - code);
      CHECK(double{range.max} < double{full.max} + code);
      const bool may_widen = calibrator.name() == std::string("mse") && !request.type.symmetric;
      CHECK((may_widen || (range.min >= full.min && range.max <= full.max)));
      CHECK(range.max > range.min);
    });
  }
}

TEST_CASE("Data times a power of two give a range times it, to the bit") {
  for (const test::Distribution& data : test::distributions(3000)) {
    INFO(data.name);
    const TensorStatistics statistics = statistics_of_values(data.values);
    for (int exponent : {-9, 14}) {
      std::vector<float> scaled = data.values;
      for (float& value : scaled) value = std::ldexp(value, exponent);
      const TensorStatistics scaled_statistics = statistics_of_values(scaled);
      for_each_combination([&](const Calibrator& calibrator, const RangeRequest& request) {
        const Range range = calibrator.compute_range(statistics, request);
        const Range expected{std::ldexp(range.min, exponent), std::ldexp(range.max, exponent)};
        CHECK(same(calibrator.compute_range(scaled_statistics, request), expected));
      });
    }
  }
}

TEST_CASE("The order of samples does not show in a range") {
  std::vector<Tensor> samples;
  for (const test::Distribution& data : test::distributions(500)) samples.push_back(test::row(data.values));
  const TensorStatistics statistics = test::statistics_of(samples);
  std::mt19937 random(1);
  std::shuffle(samples.begin(), samples.end(), random);
  const TensorStatistics shuffled = test::statistics_of(samples);
  for_each_combination([&](const Calibrator& calibrator, const RangeRequest& request) {
    CHECK(same(calibrator.compute_range(shuffled, request), calibrator.compute_range(statistics, request)));
  });
}

TEST_CASE("All zeros give the range {0, 0}") {
  const TensorStatistics statistics = statistics_of_values({0, 0, -0.0f, 0});
  for_each_combination([&](const Calibrator& calibrator, const RangeRequest& request) {
    CHECK(same(calibrator.compute_range(statistics, request), {0, 0}));
  });
}

TEST_CASE("A single value is kept") {
  for (float value : {5.0f, 0.3f, -7.25f, 1e-20f, -1e11f}) {
    INFO(value);
    const TensorStatistics statistics = statistics_of_values({value});
    const Range expected{std::min(value, 0.0f), std::max(value, 0.0f)};
    for_each_combination([&](const Calibrator& calibrator, const RangeRequest& request) {
      const Range range = calibrator.compute_range(statistics, request);
      // A histogram does not say where in its bin the value lies; the mean of tiny values is in fixed point.
      const double bin = statistics.histogram.bin_width();
      CHECK(double{range.min} == Approx(double{expected.min}).margin(1.01 * bin + 0x1p-60));
      CHECK(double{range.max} == Approx(double{expected.max}).margin(1.01 * bin + 0x1p-60));
    });
  }
}

TEST_CASE("One outlier does not decide, except for max") {
  std::vector<float> values = test::distributions()[1].values;
  const float bulk = *std::max_element(values.begin(), values.end());
  std::vector<Tensor> samples(20, test::row(values));
  values.push_back(1000);
  samples.push_back(test::row(values));
  const TensorStatistics statistics = test::statistics_of(samples);
  const auto max_of = [&](const char* name) {
    return find_calibrator(name).compute_range(statistics, {}).max;
  };
  CHECK(max_of("max") == 1000);
  CHECK(max_of("mean") < 60);
  CHECK(max_of("percentile") < bulk);
  CHECK(max_of("entropy") < 100);
  CHECK(max_of("mse") < 1000);
}

TEST_CASE("max is the extremes, widened to hold 0") {
  const auto range = [](const std::vector<float>& values) {
    return find_calibrator("max").compute_range(statistics_of_values(values), {});
  };
  CHECK(same(range({-1, 2, 0.5f}), {-1, 2}));
  CHECK(same(range({3, 2}), {0, 3}));
  CHECK(same(range({-3, -2}), {-3, 0}));
}

TEST_CASE("mean is the mean over samples of each one's extremes") {
  const auto range = [](const std::vector<std::vector<float>>& samples) {
    std::vector<Tensor> tensors;
    for (const auto& sample : samples) tensors.push_back(test::row(sample));
    return find_calibrator("mean").compute_range(test::statistics_of(tensors), {});
  };
  CHECK(same(range({{-1, 4}, {-3, 2}, {0, 0.75f}}), {-4.0f / 3, 2.25f}));
  CHECK(same(range({{1, 2}, {-0.5f, 6}}), {0, 4}));
  CHECK(same(range({{-1, -2}}), {-2, 0}));
}

TEST_CASE("percentile is the quantile of the sorted elements, to one bin") {
  for (const test::Distribution& data : test::distributions()) {
    INFO(data.name);
    const TensorStatistics statistics = statistics_of_values(data.values);
    std::vector<float> sorted = data.values;
    std::sort(sorted.begin(), sorted.end());
    const bool two_sided = sorted.front() < 0 && sorted.back() > 0;
    for (double percentile : {99.99, 99.9, 99.0, 90.0}) {
      INFO(percentile);
      const Range range = find_calibrator("percentile").compute_range(statistics, {{}, percentile});
      const double cut = static_cast<double>(sorted.size()) * (1 - percentile / 100) / (two_sided ? 2 : 1);
      const auto rank = static_cast<size_t>(cut);  // the elements outside
      const double width = statistics.histogram.bin_width();
      const double high = std::max(0.0, double{sorted[sorted.size() - 1 - rank]});
      const double low = std::min(0.0, double{sorted[rank]});
      CHECK(double{range.max} == Approx(high).margin(width * 1.001));
      CHECK(double{range.min} == Approx(low).margin(width * 1.001));
    }
    CHECK(same(find_calibrator("percentile").compute_range(statistics, {{}, 100}), full_range(statistics)));
  }
}

TEST_CASE("percentile of a symmetric type is that of the magnitudes") {
  const std::vector<float> values = test::distributions()[0].values;
  std::vector<float> magnitudes = values;
  for (float& value : magnitudes) value = std::abs(value);
  const RangeRequest symmetric{.type = {.dtype = DataType::kS8, .num_bits = 8, .symmetric = true},
                               .percentile = 99};
  const Range range = find_calibrator("percentile").compute_range(statistics_of_values(values), symmetric);
  CHECK(range.max ==
        find_calibrator("percentile").compute_range(statistics_of_values(magnitudes), {{}, 99}).max);
  CHECK(range.min == -range.max);
}
