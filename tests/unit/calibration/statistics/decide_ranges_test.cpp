// From statistics to the range table.
#include <catch2/catch.hpp>

#include "calibration/statistics/calibrator.h"
#include "calibration/statistics/decide_ranges.h"
#include "core/error.h"
#include "tests/support/graph_builder.h"
#include "tests/unit/calibration/statistics/statistics_support.h"

using namespace quantize;

namespace {

StatisticsTable small_table() {
  StatisticsTable table;
  table.values["a"] = test::statistics_of(
      {test::random_tensor({1, 2, 5, 5}, 1, -2, 3), test::random_tensor({1, 2, 5, 5}, 2, 0.5f, 1)});
  table.values["b"] = test::statistics_of({test::row({1, 2, 3})});
  table.values["nan"] = test::statistics_of({test::row({1, NAN}), test::row({1, 2})});
  table.values["unseen"];
  TapStatistics& taps = table.taps["conv"];
  taps = {.taps = 1, .samples = 4, .mean_sums = std::vector<ExactSum>(2)};
  taps.mean_sums[1].add(6);
  table.taps["unseen"];
  return table;
}

bool same(const Range& a, const Range& b) {
  return a.min == b.min && a.max == b.max;
}

}  // namespace

TEST_CASE("Each value's range is that of the method") {
  const StatisticsTable statistics = small_table();
  for (const Calibrator* calibrator : all_calibrators()) {
    QuantizationScheme scheme;
    scheme.method = calibrator->name();
    const RangeTable table = decide_ranges(statistics, scheme, 2);
    for (const char* name : {"a", "b"}) {
      const ValueRange* value = table.find(name);
      REQUIRE(value != nullptr);
      CHECK(value->method == calibrator->name());
      REQUIRE(value->ranges.size() == 1);
      const RangeRequest request{scheme.activations, scheme.percentile};
      CHECK(same(value->ranges[0], calibrator->compute_range(statistics.values.at(name), request)));
    }
  }
}

TEST_CASE("Means and channel ranges go along") {
  const StatisticsTable statistics = small_table();
  const RangeTable table = decide_ranges(statistics, {}, 1);
  const ValueRange& a = *table.find("a");
  REQUIRE(a.channel_mean.size() == 2);
  REQUIRE(a.channel_ranges.size() == 2);
  CHECK(a.channel_mean[0] == statistics.values.at("a").channels[0].mean_sum.value() / 2);
  CHECK(a.channel_ranges[1].max == statistics.values.at("a").channels[1].max);
  CHECK(a.channel_ranges[1].min <= 0);
  CHECK(table.find("b")->channel_mean.empty());
  REQUIRE(table.tap_means.size() == 1);
  CHECK(table.tap_means.at("conv").taps == 1);
  CHECK(table.tap_means.at("conv").mean == std::vector<double>{0, 1.5});
}

TEST_CASE("A value with NaN or without samples gets no range") {
  const RangeTable table = decide_ranges(small_table(), {}, 1);
  CHECK(table.find("nan")->ranges.empty());
  CHECK(table.find("nan")->non_finite == 1);
  CHECK(table.find("unseen")->ranges.empty());
  CHECK(table.find("other") == nullptr);
}

TEST_CASE("An override chooses method and type for its value") {
  QuantizationScheme scheme;
  scheme.method = "max";
  scheme.overrides["a"].method = "mse";
  scheme.overrides["a"].num_bits = 3;
  const StatisticsTable statistics = small_table();
  const RangeTable table = decide_ranges(statistics, scheme, 1);
  CHECK(table.find("b")->method == "max");
  CHECK(table.find("a")->method == "mse");
  const RangeRequest request{.type = {.dtype = DataType::kU8, .num_bits = 3}};
  CHECK(same(table.find("a")->ranges[0],
             find_calibrator("mse").compute_range(statistics.values.at("a"), request)));
}

TEST_CASE("An unknown method is named, and so is the value that asks for it") {
  QuantizationScheme scheme;
  scheme.overrides["a"].method = "kl";
  CHECK_THROWS_WITH(decide_ranges(small_table(), scheme, 1),
                    Catch::Contains("'a'") && Catch::Contains("'kl'"));
  scheme = {};
  scheme.method = "best";
  CHECK_THROWS_WITH(decide_ranges({}, scheme, 1), Catch::Contains("'best'"));
}

TEST_CASE("An override changes the type of its value only") {
  QuantizationScheme scheme;
  scheme.overrides["a"].is_unsigned = false;
  scheme.overrides["a"].narrow_range = true;
  scheme.overrides["a"].num_bits = 5;
  const QuantType type = activation_type(scheme, "a");
  CHECK(type.dtype == DataType::kS8);
  CHECK(type.narrow_range);
  CHECK(type.num_bits == 5);
  CHECK(activation_type(scheme, "b").dtype == DataType::kU8);
  CHECK(activation_type(scheme, "b").num_bits == 8);
}
