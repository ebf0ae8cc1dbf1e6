#include "core/quant_params.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/error.h"

using namespace quantize;

namespace {

QuantType s8(bool narrow, int bits = 8) {
  return {.dtype = DataType::kS8, .num_bits = bits, .symmetric = true, .narrow_range = narrow};
}

}  // namespace

TEST_CASE("code ranges follow storage, bits and narrow_range") {
  const auto codes = [](const QuantType& type) {
    const Range range = code_range(type);
    return std::pair(range.min, range.max);
  };
  CHECK(codes({}) == std::pair(0.0f, 255.0f));
  CHECK(codes(s8(true)) == std::pair(-127.0f, 127.0f));
  CHECK(codes(s8(false)) == std::pair(-128.0f, 127.0f));
  CHECK(codes({.dtype = DataType::kU8, .num_bits = 7}) == std::pair(0.0f, 127.0f));
  CHECK(codes(s8(true, 4)) == std::pair(-7.0f, 7.0f));
  CHECK(codes({.dtype = DataType::kU16, .num_bits = 16}) == std::pair(0.0f, 65535.0f));
  CHECK_THROWS_AS(code_range({.dtype = DataType::kU8, .num_bits = 9}), Error);
  CHECK_THROWS_AS(code_range({.dtype = DataType::kU8, .num_bits = 1}), Error);
  CHECK_THROWS_AS(code_range({.dtype = DataType::kF32}), Error);
}

TEST_CASE("asymmetric parameters hold the range and represent 0 exactly") {
  for (const Range range : {Range{0, 6}, Range{-1, 3}, Range{-0.3f, 0}, Range{-1e-3f, 1e3f}}) {
    const QuantParams params = choose_quant_params({range}, {});
    const float scale = params.scale[0];
    const int32_t zero_point = params.zero_point[0];
    CHECK(dequantize_value(quantize_value(0, scale, zero_point, 0, 255), scale, zero_point) == 0);
    for (const float end : {range.min, range.max}) {
      const int32_t code = quantize_value(end, scale, zero_point, 0, 255);
      CHECK(std::abs(dequantize_value(code, scale, zero_point) - end) <= scale / 2 * 1.001f);
    }
  }
}

TEST_CASE("symmetric parameters have their zero point in the middle") {
  const QuantParams narrow = choose_quant_params({{-2, 1}}, s8(true));
  CHECK(narrow.zero_point[0] == 0);
  CHECK(narrow.scale[0] == Approx(2.0 / 127));
  CHECK(narrow.quant_min == -127);
  const QuantParams middle = choose_quant_params({{-2, 1}}, {.dtype = DataType::kU8, .symmetric = true});
  CHECK(middle.zero_point[0] == 128);
  CHECK(middle.scale[0] == Approx(2.0 / 127));
}

TEST_CASE("degenerate ranges still give usable scales") {
  CHECK(choose_quant_params({{0, 0}}, {}).scale[0] == 1);
  const float tiny = choose_quant_params({{0, 1e-44f}}, {}).scale[0];
  CHECK(tiny == std::numeric_limits<float>::min());
  const float huge = std::numeric_limits<float>::max();
  CHECK(std::isfinite(choose_quant_params({{-huge, huge}}, {}).scale[0]));
  CHECK_THROWS_AS(choose_quant_params({{1, 2}}, {}), Error);
  CHECK_THROWS_AS(choose_quant_params({{0, INFINITY}}, {}), Error);
  CHECK_THROWS_AS(choose_quant_params({{0, NAN}}, {}), Error);
}

TEST_CASE("quantize_value rounds half to even, saturates, and gives NaN the zero point") {
  CHECK(quantize_value(0.5f, 1, 0, -128, 127) == 0);
  CHECK(quantize_value(1.5f, 1, 0, -128, 127) == 2);
  CHECK(quantize_value(-2.5f, 1, 0, -128, 127) == -2);
  CHECK(quantize_value(2.5f, 1, 1, 0, 255) == 3);  // rounded before the zero point is added
  CHECK(quantize_value(1e30f, 1e-30f, 10, 0, 255) == 255);
  CHECK(quantize_value(-INFINITY, 1, 10, 0, 255) == 0);
  CHECK(quantize_value(NAN, 1, 10, 0, 255) == 10);
  // A division: the reciprocal of this scale, rounded to float, gives 8.
  CHECK(quantize_value(0.75f, 0.1f, 0, 0, 255) == static_cast<int32_t>(std::nearbyint(0.75f / 0.1f)));
}

TEST_CASE("tensors quantize and dequantize per channel along any axis") {
  QuantParams params;
  params.dtype = DataType::kS8;
  params.scale = {1, 2, 4};
  params.zero_point = {0, 1, -1};
  params.quant_min = -128;
  params.quant_max = 127;
  params.axis = -1;
  const Tensor x = Tensor::of<float>({2, 3}, {4, 4, 4, -8, -8, -8});
  const Tensor q = quantize_tensor(x, params);
  CHECK(equal(q, Tensor::of<int8_t>({2, 3}, {4, 3, 0, -8, -3, -3})));
  CHECK(equal(dequantize_tensor(q, params), x));
  params.axis = 0;
  CHECK_THROWS_AS(quantize_tensor(x, params), Error);
  CHECK_THROWS_AS(dequantize_tensor(q, params), Error);
  params.axis.reset();
  CHECK_THROWS_AS(quantize_tensor(x, params), Error);
}

TEST_CASE("codes in use may be fewer than the type has") {
  QuantParams params = choose_quant_params({{-1, 1}}, s8(true, 4));
  const Tensor q = quantize_tensor(Tensor::of<float>({3}, {-5, 0, 5}), params);
  CHECK(equal(q, Tensor::of<int8_t>({3}, {-7, 0, 7})));
}
