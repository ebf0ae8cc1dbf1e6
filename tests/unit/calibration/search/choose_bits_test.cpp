// The choice of bits, against all choices there are.
#include "calibration/search/choose_bits.h"

#include <catch2/catch.hpp>
#include <random>

using namespace quantize;
using Choices = std::vector<std::vector<SizeChoice>>;

namespace {

double error_of(const Choices& weights, const std::vector<size_t>& chosen) {
  double error = 0;
  for (size_t w = 0; w < weights.size(); ++w) error += weights[w][chosen[w]].error;
  return error;
}

/// The least error within the limit, of every combination; infinite where none fits.
double least_error(const Choices& weights, int64_t limit, size_t from = 0) {
  if (from == weights.size()) return limit >= 0 ? 0 : std::numeric_limits<double>::infinity();
  double least = std::numeric_limits<double>::infinity();
  for (const SizeChoice& choice : weights[from])
    least = std::min(least, choice.error + least_error(weights, limit - choice.bytes, from + 1));
  return least;
}

Choices drawn(uint32_t seed) {
  std::mt19937 random(seed);
  Choices weights(4);
  for (auto& choices : weights) {
    const auto count = static_cast<int64_t>(random() % 900 + 100);
    const double scale = static_cast<double>(random() % 1000 + 1);
    for (int64_t bits = 8; bits >= 2; --bits)
      choices.push_back({bits, count * bits / 8, scale / static_cast<double>(int64_t{1} << (2 * bits))});
  }
  return weights;
}

}  // namespace

TEST_CASE("choose_bits: the file fits, and the error is near the least there is", "[choose_bits]") {
  const uint32_t seed = GENERATE(range(1, 9));
  const Choices weights = drawn(seed);
  const int64_t most = bytes_of(weights, {0, 0, 0, 0}), least = bytes_of(weights, {6, 6, 6, 6});
  for (int64_t limit = least; limit <= most; limit += (most - least) / 7) {
    const std::vector<size_t> chosen = choose_bits(weights, limit);
    CAPTURE(seed, limit);
    CHECK(bytes_of(weights, chosen) <= limit);
    CHECK(error_of(weights, chosen) <= 4 * least_error(weights, limit));
  }
  CHECK(choose_bits(weights, most) == std::vector<size_t>{0, 0, 0, 0});
}

TEST_CASE("choose_bits: below the least size the smallest choices are taken", "[choose_bits]") {
  CHECK(choose_bits(drawn(1), -1000000) == std::vector<size_t>{6, 6, 6, 6});
  CHECK(choose_bits({}, 0).empty());
}

TEST_CASE("choose_bits: what takes more and loses as much is not taken", "[choose_bits]") {
  CHECK(choose_bits({{{8, 100, 0.5}, {4, 60, 0.5}, {6, 80, 0.7}}}, 1000) == std::vector<size_t>{1});
}

TEST_CASE("choose_bits: weights that matter more get more bits", "[choose_bits]") {
  const std::vector<SizeChoice> plain = {{8, 800, 0.001}, {4, 400, 0.1}};
  std::vector<SizeChoice> harmful = plain;
  harmful[1].error = 5;
  CHECK(choose_bits({plain, harmful, plain}, 1600) == std::vector<size_t>{1, 0, 1});
}
