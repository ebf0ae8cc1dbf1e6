#include "core/quantization/modes/store_weights.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace quantize;

namespace {

Tensor ramp(const Shape& shape) {
  Tensor tensor(DataType::kF32, shape);
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.mutable_data<float>()[i] =
        static_cast<float>(std::sin(0.37 * static_cast<double>(i))) * static_cast<float>(1 + i % 7);
  return tensor;
}

constexpr StoredCodes kS8{DataType::kS8, 13}, kS4{DataType::kS4, 21}, kS2{DataType::kS2, 25};

}  // namespace

TEST_CASE("stored weights: eight bits are the largest weight over 127 of each channel", "[modes]") {
  const Tensor weights = Tensor::of<float>({2, 3}, {1, -2, 0.5f, 0, 0, 0});
  const StoredWeights stored = store_weights(weights, {1, 0, 1}, {kS8, 8, 0});
  CHECK(stored.scales.to_vector<float>() == std::vector<float>{2.0f / 127, 1});
  CHECK(stored.codes.to_vector<int>() == std::vector<int>{64, -127, 32, 0, 0, 0});
  CHECK(stored.axis == 0);
  CHECK(stored.bytes() == 6 + 8);
}

TEST_CASE("stored weights: blocks have a scale each, the last one may be shorter", "[modes]") {
  const Tensor weights = ramp({10, 3});
  const StoredWeights stored = store_weights(weights, {1, 1, 0}, {kS8, 8, 4});
  REQUIRE(stored.scales.shape() == Shape{3, 3});
  CHECK(stored.axis == 0);
  CHECK(stored.block == 4);
  for (int64_t i = 0; i < 10; ++i)
    for (int64_t j = 0; j < 3; ++j) {
      const float scale = stored.scales.data<float>()[i / 4 * 3 + j];
      const float back = static_cast<float>(stored.codes.data<int8_t>()[i * 3 + j]) * scale;
      CHECK(std::abs(back - weights.data<float>()[i * 3 + j]) <= scale / 2 * 1.001f);
    }
  CHECK(store_weights(weights, {1, 1, 0}, {kS8, 8, 16}).block == 0);  // no channel is as long
}

TEST_CASE("stored weights: fewer bits take fewer bytes and lose more", "[modes]") {
  const Tensor weights = ramp({8, 64});
  const WeightOperand operand{1, 0, 1};
  const StoredWeights eight = store_weights(weights, operand, {kS8, 8, 0}),
                      four = store_weights(weights, operand, {kS4, 4, 0}),
                      two = store_weights(weights, operand, {kS2, 2, 0});
  CHECK(eight.bytes() == 512 + 32);
  CHECK(four.bytes() == 256 + 32);
  CHECK(two.bytes() == 128 + 32);
  CHECK(eight.sqnr_db > 40);
  CHECK(four.sqnr_db > 16);
  CHECK(two.sqnr_db > 3);
  CHECK(eight.sqnr_db > four.sqnr_db);
  CHECK(four.sqnr_db > two.sqnr_db);
  for (const int code : two.codes.to_vector<int>()) CHECK((code >= -2 && code <= 1));
  CHECK(store_weights(weights, operand, {kS4, 4, 16}).sqnr_db > four.sqnr_db);
}
