#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include "calibration/deviation.h"
#include "core/error.h"

using namespace quantize;

namespace {

Deviation between(const std::vector<float>& reference, const std::vector<float>& candidate) {
  Deviation deviation;
  deviation.add(Tensor::of<float>({static_cast<int64_t>(reference.size())}, reference),
                Tensor::of<float>({static_cast<int64_t>(candidate.size())}, candidate));
  return deviation;
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("The ratio is that of the energies, in decibel") {
  const Deviation deviation = between({3, 4}, {3, 3.5f});
  CHECK(deviation.signal == 25);
  CHECK(deviation.noise == 0.25);
  CHECK(deviation.max_abs_diff == 0.5);
  CHECK(deviation.sqnr_db() == Approx(20));
}

TEST_CASE("Samples add up to what they are together") {
  Deviation sum = between({1, 2}, {1.5f, 2});
  sum.add(between({-4}, {-3}));
  const Deviation together = between({1, 2, -4}, {1.5f, 2, -3});
  CHECK(sum.signal == together.signal);
  CHECK(sum.noise == together.noise);
  CHECK(sum.max_abs_diff == together.max_abs_diff);
}

TEST_CASE("Equal tensors have the largest ratio there is, a lost signal the smallest") {
  CHECK(between({1, 2}, {1, 2}).sqnr_db() == Deviation::kMaxDb);
  CHECK(between({0, 0}, {0, 0}).sqnr_db() == Deviation::kMaxDb);
  CHECK(between({0, 0}, {0, 1}).sqnr_db() == -Deviation::kMaxDb);
}

TEST_CASE("What is not finite on one side only is infinitely far off") {
  CHECK(between({1, kNan}, {1, kNan}).sqnr_db() == Deviation::kMaxDb);
  CHECK(between({1, kInfinity}, {1, kInfinity}).sqnr_db() == Deviation::kMaxDb);
  CHECK(between({1, 2}, {1, kNan}).sqnr_db() == -Deviation::kMaxDb);
  CHECK(between({1, kInfinity}, {1, 2}).sqnr_db() == -Deviation::kMaxDb);
}

TEST_CASE("Tensors of different sizes do not compare") {
  CHECK_THROWS_AS(between({1, 2}, {1}), Error);
}

TEST_CASE("The best class is the first of the largest scores") {
  CHECK(arg_max(Tensor::of<float>({1, 4}, {1, 7, 7, 2})) == 1);
  CHECK(arg_max(Tensor::of<float>({3}, {-3, -1, -2})) == 1);
  CHECK(arg_max(Tensor::of<float>({3}, {kNan, -1, kNan})) == 1);
}
