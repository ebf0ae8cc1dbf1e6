// The grids by their formulae.
#include "core/quantization/modes/weight_grids.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/support/graph_builder.h"

using namespace quantize;

namespace {

std::vector<float> rounded(WeightGrid grid, int64_t bits, const std::vector<float>& weights) {
  const CodeLevels levels = form_of(grid).levels(bits);
  const float scale = form_of(grid).scale(weights, levels);
  std::vector<float> reals;
  for (const float w : weights) {
    const int32_t code = levels.code_of(w, scale);
    CHECK(code >= levels.low);
    CHECK(code <= levels.high);
    reals.push_back(levels.real_of(code, scale));
  }
  return reals;
}

bool is_power_of_two(float x) {
  int exponent = 0;
  return std::frexp(std::abs(x), &exponent) == 0.5f;
}

}  // namespace

TEST_CASE("weight_grids: powers of two, the nearest one by value", "[grids]") {
  CHECK(rounded(WeightGrid::kPowersOfTwo, 4, {1, 0.7f, 0.8f, -0.24f, 0.003f, 0}) ==
        std::vector<float>{1, 0.5f, 1, -0.25f, 0, 0});
  const Tensor drawn = test::random_tensor({200}, 1, -3, 3);
  const std::vector<float> weights = drawn.to_vector<float>(),
                           reals = rounded(WeightGrid::kPowersOfTwo, 5, weights);
  for (size_t i = 0; i < weights.size(); ++i) {
    CHECK((reals[i] == 0 || is_power_of_two(reals[i])));
    if (std::abs(weights[i]) < 2) CHECK(std::abs(reals[i] - weights[i]) <= std::abs(weights[i]) / 3 + 1e-3f);
  }
}

TEST_CASE("weight_grids: ternary has the scale and threshold of the least error", "[grids]") {
  // With the two largest: error 0.1^2 + 2 * 0.1^2; any other number of them leaves more.
  const std::vector<float> weights = {1.1f, -0.9f, 0.1f, 0};
  const std::vector<float> reals = rounded(WeightGrid::kTernary, 2, weights);
  CHECK(reals == std::vector<float>{1, -1, 0, 0});
  const std::vector<float> drawn = test::random_tensor({99}, 2).to_vector<float>();
  const CodeLevels levels = form_of(WeightGrid::kTernary).levels(2);
  const double least = levels.error_of(drawn, form_of(WeightGrid::kTernary).scale(drawn, levels));
  for (float scale = 0.01f; scale < 1.5f; scale += 0.01f)
    CHECK(levels.error_of(drawn, scale) >= least - 1e-6);
}

TEST_CASE("weight_grids: binary is the sign times the mean magnitude", "[grids]") {
  CHECK(rounded(WeightGrid::kBinary, 1, {1, -2, 3, -2}) == std::vector<float>{2, -2, 2, -2});
}

TEST_CASE("weight_grids: fixed point is multiples of its last bit, cut off at its ends", "[grids]") {
  const CodeLevels levels = form_of(WeightGrid::kFixed).levels(4);
  const float scale = fixed_scale(4, 1);  // a sign, one bit before the point, two behind it
  CHECK(scale == 0.25f);
  const auto real = [&](float w) { return levels.real_of(levels.code_of(w, scale), scale); };
  CHECK(real(0.3f) == 0.25f);
  CHECK(real(5) == 1.75f);
  CHECK(real(-5) == -2);
  CHECK(fixed_scale(8, 0) == 1.0f / 128);
  CHECK(fixed_scale(8, -2) == 1.0f / 512);
}

TEST_CASE("weight_grids: zeros stay zeros, or of one size", "[grids]") {
  const std::vector<float> zeros(5, 0.0f);
  for (const WeightGrid grid : {WeightGrid::kLinear, WeightGrid::kPowersOfTwo, WeightGrid::kTernary})
    CHECK(rounded(grid, 4, zeros) == zeros);
  for (const float real : rounded(WeightGrid::kBinary, 1, zeros)) CHECK(std::abs(real) == 1);
}

TEST_CASE("weight_grids: the largest floats and the least have finite scales", "[grids]") {
  for (const float size : {std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()})
    for (const WeightGridForm& form : all_grids()) {
      if (form.scale == nullptr) continue;
      const int64_t bits = std::clamp<int64_t>(4, form.least_bits, form.most_bits);
      const float scale = form.scale({size, -size, 0}, form.levels(bits));
      CAPTURE(form.name, size);
      CHECK(scale > 0);
      CHECK(std::isfinite(scale));
    }
}
