#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <utility>

#include "calibration/tasks/deviation.h"
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

TEST_CASE("Whatever is not finite, on one side or both, leaves the ratio unknown") {
  const auto [reference, candidate] =
      GENERATE(std::pair{kNan, kNan}, std::pair{kInfinity, kInfinity}, std::pair{-kInfinity, 2.0f},
               std::pair{2.0f, kNan}, std::pair{kInfinity, 2.0f}, std::pair{kNan, -kInfinity});
  Deviation sum = between({1, reference, 4}, {1, candidate, 3});
  CHECK(sum.non_finite == 1);
  CHECK(!sum.sqnr_db());
  CHECK(sum.max_abs_diff == 1);  // of the others
  CHECK(sum.signal == 17);
  sum.add(between({1}, {1}));
  CHECK(!sum.sqnr_db());
}

TEST_CASE("Energies beyond double leave the ratio unknown") {
  Deviation deviation;
  deviation.add(1e200, 1e199);
  CHECK(!deviation.sqnr_db());
}

TEST_CASE("of two lists the one that is shorter ends in zeros", "[deviation]") {
  const Tensor three = Tensor::of<float>({3, 2}, {1, 2, 3, 4, 5, 6}),
               two = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  Deviation missing, surplus;
  missing.add(three, two);
  CHECK(missing.signal == 91);
  CHECK(missing.noise == 61);
  surplus.add(two, three);
  CHECK(surplus.signal == 30);
  CHECK(surplus.noise == 61);
  Deviation other;
  CHECK_THROWS_AS(other.add(three, Tensor::of<float>({3}, {1, 2, 3})), Error);
}
