// The l2 calibrator against PyTorch's own search.
#include <catch2/catch.hpp>

#include "calibration/statistics/calibrator.h"
#include "tests/unit/calibration/statistics/distributions.h"
#include "tests/unit/calibration/statistics/statistics_support.h"

using namespace quantize;

namespace {

/// HistogramObserver(bins=2048, dtype=torch.quint8, qscheme=torch.per_tensor_affine) of PyTorch 1.13 with the
/// values of test::distributions(): the result of _non_linear_param_search(), the histogram being
/// torch.histc(x, 2048, x.min(), x.max()). This version's forward() truncates both ends to whole numbers, which
/// later ones do not.
const struct {
  const char* name;
  double min, max;
} kByPyTorch[] = {
    {"normal", -4.299049, 3.955537},
    {"relu", 0, 4.350974},
    {"negative", -10.43214, -0.005108833},
    {"relu6", 0, 5.99707},
    {"heavy tail", 0, 1025.713},
    {"silu", -0.2784646, 20.88091},
    {"shifted", 0.8781386, 8.818428},
    {"uniform", -0.4999185, 1.496088},
    {"few values", 0, 1.499268},
    {"small", -9.12649e-06, 1.079098e-05},
    {"outlier", 0, 999.5117},
};

}  // namespace

TEST_CASE("l2 finds the range that PyTorch's HistogramObserver finds") {
  const std::vector<test::Distribution> distributions = test::distributions();
  REQUIRE(distributions.size() == std::size(kByPyTorch));
  for (size_t i = 0; i < distributions.size(); ++i) {
    INFO(distributions[i].name);
    REQUIRE(distributions[i].name == kByPyTorch[i].name);
    const Range range = find_calibrator("l2").compute_range(
        test::statistics_of_values(distributions[i].values), {.type = {.dtype = DataType::kU8}});
    const double tolerance = 0.001 * (kByPyTorch[i].max - kByPyTorch[i].min);  // two of its bins
    CHECK(range.min == Approx(std::min(kByPyTorch[i].min, 0.0)).margin(tolerance));
    CHECK(range.max == Approx(std::max(kByPyTorch[i].max, 0.0)).margin(tolerance));
  }
}

TEST_CASE("l2 looks for the same range with reduced ones, as PyTorch does") {
  const auto statistics = test::statistics_of_values(test::distributions().at(4).values);
  const Range whole = find_calibrator("l2").compute_range(statistics, {.type = {.dtype = DataType::kU8}});
  const Range reduced =
      find_calibrator("l2").compute_range(statistics, {.type = {.dtype = DataType::kU8, .num_bits = 7}});
  CHECK(reduced.min == whole.min);
  CHECK(reduced.max == whole.max);
}

TEST_CASE("l2 of a constant is the constant and 0") {
  const Range range = find_calibrator("l2").compute_range(test::statistics_of_values({2, 2, 2}),
                                                          {.type = {.dtype = DataType::kU8}});
  CHECK(range.min == 0);
  CHECK(range.max == 2);
}
