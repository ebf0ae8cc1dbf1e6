#include "core/quant_params.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace quantize {

namespace {

QuantParams u8(Range range) {
  return choose_quant_params({range}, {.dtype = DataType::kU8});
}

}  // namespace

TEST_CASE("quant params: codes of every type") {
  const auto codes = [](DataType dtype, int bits, bool narrow) {
    const Range range = code_range({.dtype = dtype, .num_bits = bits, .narrow_range = narrow});
    return std::pair(range.min, range.max);
  };
  CHECK(codes(DataType::kU8, 8, false) == std::pair(0.0f, 255.0f));
  CHECK(codes(DataType::kU8, 7, false) == std::pair(0.0f, 127.0f));
  CHECK(codes(DataType::kS8, 8, false) == std::pair(-128.0f, 127.0f));
  CHECK(codes(DataType::kS8, 8, true) == std::pair(-127.0f, 127.0f));
  CHECK(codes(DataType::kS8, 2, true) == std::pair(-1.0f, 1.0f));
  CHECK(codes(DataType::kS16, 16, true) == std::pair(-32767.0f, 32767.0f));
  CHECK_THROWS_AS(code_range({.dtype = DataType::kU8, .num_bits = 9}), Error);
  CHECK_THROWS_AS(code_range({.dtype = DataType::kU8, .num_bits = 1}), Error);
  CHECK_THROWS_AS(code_range({.dtype = DataType::kF32}), Error);
}

TEST_CASE("quant params: an asymmetric range uses every code and represents 0 exactly") {
  const QuantParams params = u8({-1, 3});
  CHECK(params.scale[0] == 4.0f / 255);
  CHECK(params.zero_point[0] == 64);  // 63.75
  CHECK(dequantize_value(params.zero_point[0], params.scale[0], params.zero_point[0]) == 0.0f);
  CHECK(u8({0, 6}).zero_point[0] == 0);
  CHECK(u8({-6, 0}).zero_point[0] == 255);
}

TEST_CASE("quant params: a symmetric range has its zero in the middle") {
  const QuantParams s8 =
      choose_quant_params({{-1, 0.5f}}, {.dtype = DataType::kS8, .symmetric = true, .narrow_range = true});
  CHECK(s8.scale[0] == 1.0f / 127);
  CHECK(s8.zero_point[0] == 0);
  const QuantParams middle = choose_quant_params({{-1, 0.5f}}, {.dtype = DataType::kU8, .symmetric = true});
  CHECK(middle.zero_point[0] == 128);
  CHECK(quantize_value(1.0f, middle.scale[0], 128, 0, 255) == 255);
}

TEST_CASE("quant params: scales stay positive and normal") {
  CHECK(u8({0, 0}).scale[0] == 1.0f);
  const float tiny = std::numeric_limits<float>::denorm_min();
  CHECK(u8({0, tiny}).scale[0] == std::numeric_limits<float>::min());
  const float huge = std::numeric_limits<float>::max();
  const QuantParams wide = u8({-huge, huge});
  CHECK(std::isfinite(wide.scale[0]));
  CHECK_THROWS_AS(u8({1, 2}), Error);
  CHECK_THROWS_AS(u8({0, INFINITY}), Error);
  CHECK_THROWS_AS(u8({NAN, 1}), Error);
}

TEST_CASE("quant params: rounding is half to even, saturation at both ends, NaN is the zero point") {
  const auto q = [](float x) { return quantize_value(x, 1.0f, 10, 0, 255); };
  CHECK(q(0.5f) == 10);
  CHECK(q(1.5f) == 12);
  CHECK(q(2.5f) == 12);
  CHECK(q(-0.5f) == 10);
  CHECK(q(-10.6f) == 0);
  CHECK(q(1e30f) == 255);
  CHECK(q(-INFINITY) == 0);
  CHECK(q(INFINITY) == 255);
  CHECK(q(NAN) == 10);
}

TEST_CASE("quant params: dividing by the scale, not multiplying by its reciprocal") {
  int different = 0;
  for (int i = 1; i < 2000; ++i) {
    const float scale = 0.001f * static_cast<float>(i), x = scale * 2.5f;
    CHECK(quantize_value(x, scale, 0, -128, 127) == static_cast<int32_t>(std::nearbyint(x / scale)));
    different +=
        quantize_value(x, scale, 0, -128, 127) != static_cast<int32_t>(std::nearbyint(x * (1 / scale)));
  }
  CHECK(different > 0);
}

TEST_CASE("quant params: tensors take the scale of their channel") {
  const Tensor x = Tensor::of<float>({2, 2, 1}, {1, 10, -1, 25});
  const QuantParams params =
      choose_quant_params({{-1, 1}, {0, 127}}, {.dtype = DataType::kS8, .symmetric = true}, 1);
  const Tensor codes = quantize_tensor(x, params);
  CHECK(codes.to_vector<int64_t>() == std::vector<int64_t>{127, 10, -127, 25});
  const Tensor back = dequantize_tensor(codes, params);
  for (int64_t i = 0; i < x.size(); ++i) CHECK(back.data<float>()[i] == Approx(x.data<float>()[i]));
  CHECK_THROWS_AS(quantize_tensor(Tensor::of<float>({1, 3, 1}, {1, 2, 3}), params), Error);
}

TEST_CASE("quant params: fewer bits stay within their codes") {
  const QuantParams params = choose_quant_params({{0, 15}}, {.dtype = DataType::kU8, .num_bits = 4});
  CHECK(params.scale[0] == 1.0f);
  CHECK(quantize_tensor(Tensor::of<float>({2}, {100, 7}), params).to_vector<int64_t>() ==
        std::vector<int64_t>{15, 7});
}

}  // namespace quantize
