#include "core/ops/support/convert_tensor.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/ops/support/convert.h"

using namespace quantize;

namespace {

/// x as `dtype` and back.
float through(float x, DataType dtype, const NarrowRule& rule = {}) {
  Tensor narrow(dtype, {1});
  convert_tensor(Tensor::of<float>({1}, {x}).view(), narrow.mutable_view(), rule);
  return converted(narrow, DataType::kF32).data<float>()[0];
}

constexpr DataType kByteFloats[] = {DataType::kF8E4M3FN, DataType::kF8E4M3FNUZ, DataType::kF8E5M2,
                                    DataType::kF8E5M2FNUZ, DataType::kF4E2M1};

int codes_of(DataType dtype) {
  return dtype == DataType::kF4E2M1 ? 16 : 256;
}

}  // namespace

TEST_CASE("every code of a narrow float comes back as it was", "[convert]") {
  for (const DataType dtype : {DataType::kF8E4M3FN, DataType::kF8E4M3FNUZ, DataType::kF8E5M2,
                               DataType::kF8E5M2FNUZ, DataType::kF4E2M1, DataType::kF8E8M0})
    for (int code = 0; code < codes_of(dtype); ++code) {
      Tensor x(dtype, {1});
      *static_cast<uint8_t*>(x.mutable_bytes()) = static_cast<uint8_t>(code);
      const Tensor wide = converted(x, DataType::kF32);
      INFO(name_of(dtype) << " " << code << ": " << wide.data<float>()[0]);
      Tensor back(dtype, {1});
      convert_tensor(wide.view(), back.mutable_view(), {.saturate = false});
      const float again = converted(back, DataType::kF32).data<float>()[0];
      CHECK((equal(back, x) || (std::isnan(wide.data<float>()[0]) && std::isnan(again))));
    }
}

TEST_CASE("a number becomes the nearest code, of two the even one", "[convert]") {
  for (const DataType dtype : kByteFloats) {
    std::vector<float> numbers;
    for (int code = 0; code < codes_of(dtype); ++code) {
      Tensor x(dtype, {1});
      *static_cast<uint8_t*>(x.mutable_bytes()) = static_cast<uint8_t>(code);
      const float value = converted(x, DataType::kF32).data<float>()[0];
      if (std::isfinite(value)) numbers.push_back(value);
    }
    std::sort(numbers.begin(), numbers.end());
    for (size_t i = 0; i + 1 < numbers.size(); ++i) {
      const float low = numbers[i], high = numbers[i + 1], middle = low + (high - low) / 2;
      INFO(name_of(dtype) << ": " << low << " " << high);
      CHECK(through(std::nextafter(middle, low), dtype) == low);
      CHECK(through(std::nextafter(middle, high), dtype) == high);
    }
  }
  CHECK(through(464, DataType::kF8E4M3FN) == 448);
  CHECK(through(0.25f, DataType::kF4E2M1) == 0);
  CHECK(through(0.75f, DataType::kF4E2M1) == 1);
}

TEST_CASE("numbers outside the range saturate, or are infinite or NaN", "[convert]") {
  CHECK(through(1e6f, DataType::kF8E4M3FN) == 448);
  CHECK(std::isnan(through(1e6f, DataType::kF8E4M3FN, {.saturate = false})));
  CHECK(std::isinf(through(-1e6f, DataType::kF8E5M2, {.saturate = false})));
  CHECK(through(-HUGE_VALF, DataType::kF8E5M2) == -57344);
  CHECK(through(-1e-9f, DataType::kF8E4M3FNUZ) == 0);
  CHECK_FALSE(std::signbit(through(-1e-9f, DataType::kF8E4M3FNUZ)));
  CHECK(through(1.1f, DataType::kF8E8M0) == 2);
  CHECK(through(1.1f, DataType::kF8E8M0, {.power = NarrowRule::Power::kDown}) == 1);
  CHECK(through(1.5f, DataType::kF8E8M0, {.power = NarrowRule::Power::kNearest}) == 2);
}

TEST_CASE("integers of few bits keep the lowest bits", "[convert]") {
  const Tensor x = Tensor::of<int32_t>({4}, {-9, 7, 8, 17});
  CHECK(converted(converted(x, DataType::kS4), DataType::kS32).to_vector<int32_t>() ==
        std::vector<int32_t>{7, 7, -8, 1});
  CHECK(converted(converted(x, DataType::kU4), DataType::kS32).to_vector<int32_t>() ==
        std::vector<int32_t>{7, 7, 8, 1});
  CHECK(converted(converted(x, DataType::kU2), DataType::kS32).to_vector<int32_t>() ==
        std::vector<int32_t>{3, 3, 0, 1});
}
