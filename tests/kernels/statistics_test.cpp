// minmax_f32, sums, histogram_f32 and quantize_f32_*: the same bytes on every level, and right on the scalar one.
#include "tests/kernels/kernel_test.h"

using namespace quantize;
using namespace quantize::test;

namespace {

struct Counts {
  std::vector<uint32_t> bins;
  uint64_t zeros = 0;
};

Counts count(const KernelTable& kernels, const std::vector<float>& x, float inv_bin_width, size_t bins) {
  Counts result;
  result.bins.assign(histogram_room(bins), 0);
  result.zeros = kernels.histogram_f32(x.data(), x.size(), inv_bin_width, result.bins.data(), bins);
  result.bins.resize(bins);
  return result;
}

template <typename T>
std::vector<T> quantize_with(void (*kernel)(const float*, size_t, float, int32_t, T*) noexcept,
                             const std::vector<float>& x, float scale, int32_t zero_point) {
  std::vector<T> result(x.size() + 1, T{55});
  kernel(x.data(), x.size(), scale, zero_point, result.data());
  CHECK(result.back() == 55);
  return result;
}

}  // namespace

TEST_CASE("minmax_f32 sees the finite elements") {
  for_each_isa([](const KernelTable& kernels) {
    const float x[] = {1, kNan, -3, kInf, 2, -kInf, -kNan};
    const MinMaxF32 result = kernels.minmax_f32(x, 7);
    CHECK(result.min == -3);
    CHECK(result.max == 2);
    CHECK(result.non_finite == 4);
    const MinMaxF32 nothing = kernels.minmax_f32(x, 0), none = kernels.minmax_f32(x + 5, 2);
    CHECK((nothing.min == kInf && nothing.max == -kInf && nothing.non_finite == 0));
    CHECK((none.min == kInf && none.max == -kInf && none.non_finite == 2));
    const std::vector<float> minus_zeros(40, -0.0f);
    const MinMaxF32 zero = kernels.minmax_f32(minus_zeros.data(), minus_zeros.size());
    CHECK((zero.min == 0 && zero.max == 0 && !std::signbit(zero.min) && !std::signbit(zero.max)));
  });
}

TEST_CASE("minmax_f32 is the same on every level") {
  for_each_isa([](const KernelTable& kernels) {
    for (size_t n = 0; n <= 200; ++n) {
      const std::vector<float> x = all_kinds_of_floats(n, static_cast<uint32_t>(n));
      const MinMaxF32 a = kernels.minmax_f32(x.data(), n), b = scalar_kernels().minmax_f32(x.data(), n);
      CHECK((a.min == b.min && a.max == b.max && a.non_finite == b.non_finite));
    }
  });
}

TEST_CASE("minmax_sum_f32 adds as eight partial sums do") {
  for_each_isa([](const KernelTable& kernels) {
    const std::vector<float> exact{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, -3};
    CHECK(kernels.minmax_sum_f32(exact.data(), exact.size()).sum == 1020);
    for (size_t n = 0; n <= 200; ++n) {
      const std::vector<float> x = all_kinds_of_floats(n, static_cast<uint32_t>(n), true);
      const MinMaxSumF32 a = kernels.minmax_sum_f32(x.data(), n),
                         b = scalar_kernels().minmax_sum_f32(x.data(), n);
      CHECK((a.range.min == b.range.min && a.range.max == b.range.max &&
             a.range.non_finite == b.range.non_finite));
      CHECK((a.sum == b.sum || (std::isnan(a.sum) && std::isnan(b.sum))));
    }
  });
}

TEST_CASE("column_sums_f32 adds every row to what is there") {
  for_each_isa([](const KernelTable& kernels) {
    for (const size_t width : {1, 7, 8, 9, 16, 31})
      for (const size_t rows : {0, 1, 5}) {
        const size_t stride = width + 3;
        const std::vector<float> x = random_floats(5 * stride, static_cast<uint32_t>(width));
        std::vector<double> sums(width + 1, 0.5), expected(width + 1, 0.5);
        for (size_t y = 0; y < rows; ++y)
          for (size_t i = 0; i < width; ++i) expected[i] += double{x[y * stride + i]};
        kernels.column_sums_f32(x.data(), rows, stride, width, sums.data());
        CHECK(sums == expected);
      }
  });
}

TEST_CASE("histogram_f32 counts more elements than it has bins") {
  for_each_isa([](const KernelTable& kernels) {
    std::vector<float> x = random_floats(5000, 9);
    for (size_t i = 0; i < x.size(); i += 1 + i % 3) x[i] = 0;
    std::fill(x.begin() + 1000, x.begin() + 2000, 0.75f);  // one bin, element after element
    const Counts a = count(kernels, x, 64, 256), b = count(scalar_kernels(), x, 64, 256);
    CHECK((a.zeros == b.zeros && a.bins == b.bins));
  });
}

TEST_CASE("histogram_f32 counts magnitudes outwards from the middle") {
  for_each_isa([](const KernelTable& kernels) {
    const std::vector<float> x{0.0f, -0.0f, 1e-45f, -1e-45f, 0.49f, 0.5f,  -0.5f, 1.7f,
                               9.0f, -9.0f, 3e38f,  kNan,    kInf,  -kInf, -1.49f};
    const Counts counts = count(kernels, x, 2, 8);
    CHECK(counts.zeros == 2);
    CHECK(counts.bins == std::vector<uint32_t>{1, 1, 1, 1, 2, 1, 0, 3});
  });
}

TEST_CASE("histogram_f32 is the same on every level") {
  for_each_isa([](const KernelTable& kernels) {
    for (size_t n = 0; n <= 600; n += 1 + n / 40)
      for (float inv_bin_width : {0x1p-126f, 0.25f, 64.0f, 0x1p120f}) {
        const std::vector<float> x = all_kinds_of_floats(n, static_cast<uint32_t>(n + 1000));
        const Counts a = count(kernels, x, inv_bin_width, 256),
                     b = count(scalar_kernels(), x, inv_bin_width, 256);
        CHECK(a.zeros == b.zeros);
        CHECK(a.bins == b.bins);
      }
  });
}

TEST_CASE("quantize_f32 divides, rounds half to even, adds the zero point and saturates") {
  for_each_isa([](const KernelTable& kernels) {
    const std::vector<float> x{0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 1000, -1000, kInf, -kInf, -0.0f, 1e-45f};
    CHECK(quantize_with(kernels.quantize_f32_u8, x, 1, 3) ==
          std::vector<uint8_t>{3, 5, 5, 3, 1, 255, 0, 255, 0, 3, 3, 55});
    CHECK(quantize_with(kernels.quantize_f32_s8, x, 1, -1) ==
          std::vector<int8_t>{-1, 1, 1, -1, -3, 127, -128, 127, -128, -1, -1, 55});
  });
}

TEST_CASE("quantize_f32 is the same on every level") {
  for_each_isa([](const KernelTable& kernels) {
    for (size_t n = 0; n <= 130; ++n)
      for (float scale : {1.0f, 0.1f, 0.0157f, 1e-38f, 1e30f})
        for (int32_t zero_point : {0, 128, 255, -128, 127}) {
          std::vector<float> x = all_kinds_of_floats(n, static_cast<uint32_t>(n), true);
          for (size_t i = 0; i < n; i += 3) x[i] = (static_cast<float>(i) - 20.5f) * scale;  // ties
          if (zero_point >= 0)
            CHECK(same_bytes(quantize_with(kernels.quantize_f32_u8, x, scale, zero_point),
                             quantize_with(scalar_kernels().quantize_f32_u8, x, scale, zero_point)));
          if (zero_point < 128)
            CHECK(same_bytes(quantize_with(kernels.quantize_f32_s8, x, scale, zero_point),
                             quantize_with(scalar_kernels().quantize_f32_s8, x, scale, zero_point)));
        }
  });
}

TEST_CASE("quantize_f32 rounds quotients next to ties as a division does") {
  std::mt19937 generator(7);
  std::vector<float> x(256);
  for (int i = 0; i < 400; ++i) {
    const float scale =
        std::ldexp(1 + static_cast<float>(generator() >> 9) * 0x1p-23f, -static_cast<int>(generator() % 24));
    for (float& each : x) {
      each = (static_cast<float>(generator() % 300) - 149.5f) * scale;
      for (uint32_t steps = generator() % 4; steps > 0; --steps)
        each = std::nextafter(each, i % 2 == 0 ? kInf : -kInf);
    }
    const auto expected = quantize_with(scalar_kernels().quantize_f32_u8, x, scale, 128);
    for_each_isa([&](const KernelTable& kernels) {
      CHECK(same_bytes(quantize_with(kernels.quantize_f32_u8, x, scale, 128), expected));
    });
  }
}
