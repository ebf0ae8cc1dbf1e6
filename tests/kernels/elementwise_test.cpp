// exp_f32 and sigmoid_f32 within their stated ulp of the function in double.
#include "tests/kernels/kernel_test.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// Distance in units of the last place of a normal `expected`.
double ulps(float actual, double expected) {
  const auto rounded = static_cast<float>(expected);
  const double ulp =
      static_cast<double>(std::nextafter(std::abs(rounded), kInf)) - std::abs(static_cast<double>(rounded));
  return std::abs(static_cast<double>(actual) - expected) / ulp;
}

/// Dense in [low, high], with the rest of the range.
std::vector<float> arguments(float low, float high) {
  std::vector<float> result = random_floats(20000, 9, low, high);
  for (int i = -200; i <= 200; ++i) result.push_back(static_cast<float>(i) * 0.5f);
  for (float x : {0.0f, -0.0f, 1e-40f, -1e-40f, 1e-7f, -1e-7f}) result.push_back(x);
  return result;
}

}  // namespace

TEST_CASE("exp_f32") {
  for_each_isa([](const KernelTable& kernels) {
    const std::vector<float> x = arguments(-87, 88);
    std::vector<float> y(x.size());
    kernels.exp_f32(x.data(), y.data(), x.size());
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = std::exp(static_cast<double>(x[i]));
      if (expected > 3.4028234663852886e38) {
        CHECK(y[i] == kInf);
      } else if (expected < 1.1754943508222875e-38) {
        CHECK((y[i] >= 0 && y[i] <= 1.1754944e-38f));
      } else {
        worst = std::max(worst, ulps(y[i], expected));
      }
    }
    CHECK(worst <= 2);
    const float extremes[] = {kInf, -kInf, kNan, 1000, -1000, 3e38f, -3e38f};
    float results[7];
    kernels.exp_f32(extremes, results, 7);
    CHECK(results[0] == kInf);
    CHECK(results[1] == 0);
    CHECK(std::isnan(results[2]));
    CHECK(results[3] == kInf);
    CHECK(results[4] == 0);
    CHECK(results[5] == kInf);
    CHECK(results[6] == 0);
  });
}

TEST_CASE("sigmoid_f32") {
  for_each_isa([](const KernelTable& kernels) {
    const std::vector<float> x = arguments(-30, 30);
    std::vector<float> y(x.size());
    kernels.sigmoid_f32(x.data(), y.data(), x.size());
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = 1 / (1 + std::exp(-static_cast<double>(x[i])));
      if (expected >= 1.1754943508222875e-38)
        worst = std::max(worst, ulps(y[i], expected));
      else
        CHECK((y[i] >= 0 && y[i] <= 1.1754944e-38f));
    }
    CHECK(worst <= 4);
    const float extremes[] = {kInf, -kInf, kNan, 1000, -1000};
    float results[5];
    kernels.sigmoid_f32(extremes, results, 5);
    CHECK(results[0] == 1);
    CHECK(results[1] == 0);
    CHECK(std::isnan(results[2]));
    CHECK(results[3] == 1);
    CHECK(results[4] == 0);
  });
}

TEST_CASE("exp_f32 and sigmoid_f32 touch exactly n elements, in place if asked to") {
  for_each_isa([](const KernelTable& kernels) {
    for (auto kernel : {kernels.exp_f32, kernels.sigmoid_f32})
      for (size_t n = 0; n <= 67; ++n) {
        const std::vector<float> x = random_floats(n, 3);
        std::vector<float> y(n + 1, 77), in_place = x;
        kernel(x.data(), y.data(), n);
        kernel(in_place.data(), in_place.data(), n);
        CHECK(y[n] == 77);
        y.pop_back();
        CHECK(same_bytes(y, in_place));
      }
  });
}
