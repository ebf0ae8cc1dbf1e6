// ExactSum: no order and no grouping shows in the bits.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "calibration/statistics/exact_sum.h"

using quantize::ExactSum;

namespace {

ExactSum sum_of_terms(const std::vector<double>& terms) {
  ExactSum sum;
  for (double term : terms) sum.add(term);
  return sum;
}

}  // namespace

TEST_CASE("An exact sum holds what was added") {
  CHECK(ExactSum().value() == 0);
  CHECK(sum_of_terms({1.5, 0.25}).value() == 1.75);
  CHECK(sum_of_terms({-1.5}).value() == -1.5);
  CHECK(sum_of_terms({-0x1p-60}).value() == -0x1p-60);
  CHECK(sum_of_terms({0x1p-60, -0x1p-59}).value() == -0x1p-60);
  CHECK(sum_of_terms({16.0, -16.0}) == ExactSum());
  CHECK(sum_of_terms({-16.0}).value() == -16.0);  // low word 0
  CHECK(sum_of_terms({0x1p-62}).value() == 0);    // below half a unit
}

TEST_CASE("An exact sum loses nothing to large neighbours") {
  const double tiny = 0x1p-50, huge = ExactSum::kLimit;
  CHECK(sum_of_terms({huge, tiny, -huge}).value() == tiny);
  CHECK(sum_of_terms({-huge, -tiny, huge}).value() == -tiny);
}

TEST_CASE("The largest terms, as many as are allowed, do not overflow") {
  ExactSum sum;
  sum.add(ExactSum::kLimit);
  for (uint64_t terms = 1; terms < ExactSum::kMaxTerms; terms *= 2) sum.add(ExactSum(sum));
  CHECK(sum.value() == ExactSum::kLimit * static_cast<double>(ExactSum::kMaxTerms));
}

TEST_CASE("An exact sum is the same in any order and grouping") {
  std::mt19937 random(7);
  std::vector<double> terms;
  for (int i = 0; i < 1000; ++i)
    terms.push_back(std::ldexp(static_cast<double>(random()) - 0x1p31, static_cast<int>(random() % 70) - 70));
  const ExactSum expected = sum_of_terms(terms);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(terms.begin(), terms.end(), random);
    const auto cut = terms.begin() + static_cast<std::ptrdiff_t>(random() % terms.size());
    ExactSum left = sum_of_terms({terms.begin(), cut});
    left.add(sum_of_terms({cut, terms.end()}));
    CHECK(left == expected);
  }
  std::sort(terms.begin(), terms.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  long double reference = 0;
  for (double term : terms) reference += term;
  CHECK(expected.value() == Approx(static_cast<double>(reference)).epsilon(1e-12));
}
