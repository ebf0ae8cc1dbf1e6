// Operations on codes: every level against the scalar reference, byte for byte.
#include "tests/kernels/integer_case.h"

using namespace quantize;
using namespace quantize::test;

namespace {

constexpr size_t kPairs = 65536;

/// All pairs of codes.
struct Pairs {
  Pairs() : a(kPairs), b(kPairs) {
    for (size_t i = 0; i < kPairs; ++i) {
      a[i] = static_cast<uint8_t>(i >> 8);
      b[i] = static_cast<uint8_t>(i);
    }
  }
  std::vector<uint8_t> a, b;
};

}  // namespace

TEST_CASE("add_u8: all pairs of codes") {
  const Pairs pairs;
  const float ratios[][3] = {
      {0.5f, 0.25f, 3}, {0.61f, 0.77f, -17.3f}, {1, 1, -128}, {1e-3f, 200, 0}, {1e30f, 1e30f, -1e32f}};
  for (const auto& ratio : ratios) {
    const float a_ratio = ratio[0], b_ratio = ratio[1], offset = ratio[2];
    std::vector<uint8_t> expected(kPairs);
    scalar_kernels().add_u8(
        {pairs.a.data(), pairs.b.data(), expected.data(), kPairs, a_ratio, b_ratio, offset});
    for_each_isa([&](const KernelTable& kernels) {
      std::vector<uint8_t> y = pairs.a;  // in place
      kernels.add_u8({y.data(), pairs.b.data(), y.data(), kPairs, a_ratio, b_ratio, offset});
      CHECK(same_bytes(y, expected));
    });
  }
}

TEST_CASE("mul_u8: all pairs of codes") {
  const Pairs pairs;
  for (float multiplier : {0.0009765625f, 0.0123f, 0.5f, 1e20f})
    for (int32_t zero_point : {0, 1, 128, 255}) {
      MulU8 call{pairs.a.data(),       pairs.b.data(), nullptr,    kPairs,
                 128 - zero_point / 2, zero_point,     multiplier, zero_point};
      std::vector<uint8_t> expected(kPairs);
      call.y = expected.data();
      scalar_kernels().mul_u8(call);
      for_each_isa([&](const KernelTable& kernels) {
        std::vector<uint8_t> y(kPairs);
        call.y = y.data();
        kernels.mul_u8(call);
        CHECK(same_bytes(y, expected));
      });
    }
}

TEST_CASE("Operations on codes write their own bytes alone, at every length") {
  Random random(1);
  for (size_t n = 1; n <= 200; ++n) {
    const std::vector<uint8_t> a = random.codes(n, Flavour::kPlain), b = random.codes(n, Flavour::kPlain),
                               table = random.codes(256, Flavour::kPlain);
    const auto run = [&](const KernelTable& kernels) {
      std::vector<uint8_t> y(4 * (n + 1), 0xA5);
      kernels.add_u8({a.data(), b.data(), y.data(), n, 0.3f, 0.4f, 7});
      kernels.mul_u8({a.data(), b.data(), y.data() + n + 1, n, 3, 200, 0.01f, 100});
      kernels.table_u8({a.data(), y.data() + 2 * (n + 1), 1, n, n, n, table.data()});
      const PoolU8 pool{a.data(), 1, 1, n, n, n, y.data() + 3 * (n + 1), 0, 0, 0};
      kernels.max_pool_u8(pool);
      return y;
    };
    const std::vector<uint8_t> expected = run(scalar_kernels());
    for_each_isa([&](const KernelTable& kernels) { CHECK(same_bytes(run(kernels), expected)); });
  }
}

TEST_CASE("Pools: windows of every shape") {
  Random random(2);
  for (size_t channels : {1, 7, 8, 16, 24, 31, 33, 64, 100, 130})
    for (size_t rows : {1, 2, 3, 7})
      for (size_t width : {1, 2, 5, 7}) {
        const size_t pixel = channels + random.below(3), row = width * pixel + random.below(5);
        const std::vector<uint8_t> x = random.codes(rows * row, Flavour::kPlain);
        PoolU8 call{x.data(), rows, width, pixel, row, channels, nullptr, 0, 0, 0};
        call.offset = -static_cast<int32_t>(rows * width) * 7;
        call.multiplier = random.below(2) == 0 ? 0.5f : 1.1f / static_cast<float>(rows * width);
        call.zero_point = random.between(0, 255);
        const auto run = [&](const KernelTable& kernels) {
          std::vector<uint8_t> y(2 * channels + 1, 0xA5);
          call.y = y.data();
          kernels.max_pool_u8(call);
          call.y = y.data() + channels;
          kernels.average_pool_u8(call);
          return y;
        };
        const std::vector<uint8_t> expected = run(scalar_kernels());
        for_each_isa([&](const KernelTable& kernels) { CHECK(same_bytes(run(kernels), expected)); });
      }
}

TEST_CASE("transpose_u8: matrices of every shape, and nothing beside them") {
  Random random(3);
  for (size_t rows : {1, 2, 15, 16, 17, 31, 40, 64})
    for (size_t columns : {1, 3, 8, 16, 18, 33, 48}) {
      const size_t x_stride = columns + random.below(3), y_stride = rows + random.below(3);
      const std::vector<uint8_t> x = random.codes(rows * x_stride, Flavour::kPlain);
      const auto run = [&](const KernelTable& kernels) {
        std::vector<uint8_t> y(columns * y_stride + 1, 0xA5);
        kernels.transpose_u8(x.data(), rows, columns, x_stride, y.data(), y_stride);
        return y;
      };
      const std::vector<uint8_t> expected = run(scalar_kernels());
      CHECK(int{expected[(columns - 1) * y_stride]} == int{x[columns - 1]});
      for_each_isa([&](const KernelTable& kernels) { CHECK(same_bytes(run(kernels), expected)); });
    }
}

TEST_CASE("Ties round to the even code: before the zero point joins a mean, behind it in sums and products") {
  for_each_isa([&](const KernelTable& kernels) {
    const std::vector<uint8_t> pairs = {2, 3, 0, 1, 255, 254, 1, 2, 7, 0}, expected = {2, 0, 254, 2, 4};
    for (size_t i = 0; i < expected.size(); ++i) {
      uint8_t mean = 0;
      PoolU8 call{pairs.data() + 2 * i, 1, 2, 1, 2, 1, &mean, 0, 0.5f, 0};
      kernels.average_pool_u8(call);
      CHECK(int{mean} == expected[i]);
      call.zero_point = 1;
      kernels.average_pool_u8(call);
      CHECK(int{mean} == expected[i] + 1);
    }
    const uint8_t one = 1, three = 3;
    uint8_t y = 0;
    kernels.mul_u8({&one, &three, &y, 1, 0, 0, 0.5f, 7});
    CHECK(int{y} == 8);  // 8.5
    kernels.mul_u8({&one, &three, &y, 1, 2, 0, 0.5f, 7});
    CHECK(int{y} == 6);  // 5.5
    kernels.add_u8({&one, &three, &y, 1, 0.5f, 0.5f, 0.5f});
    CHECK(int{y} == 2);
    kernels.add_u8({&one, &three, &y, 1, 0.5f, 0.5f, 1.5f});
    CHECK(int{y} == 4);
  });
}

TEST_CASE("quantize_f32_u8_planes: the codes of quantize_f32_u8, in turns") {
  for (size_t channels : {1, 2, 3, 4, 5, 7, 8, 20})
    for (size_t n : {1, 7, 8, 9, 15, 16, 17, 50, 64, 130})
      for (size_t gap : {0, 2}) {
        const size_t plane = n + 3, pixel = channels + gap;
        const std::vector<float> x = random_floats(channels * plane, 3, -300, 300);
        for_each_isa([&](const KernelTable& kernels) {
          std::vector<uint8_t> y(n * pixel, 0xA5), expected = y, codes(n);
          kernels.quantize_f32_u8_planes({x.data(), n, channels, plane, 0.5f, 77, y.data(), pixel});
          for (size_t c = 0; c < channels; ++c) {
            scalar_kernels().quantize_f32_u8(x.data() + c * plane, n, 0.5f, 77, codes.data());
            for (size_t i = 0; i < n; ++i) expected[i * pixel + c] = codes[i];
          }
          CHECK(same_bytes(y, expected));
        });
      }
}

TEST_CASE("dequantize_u8_f32: exact at every length") {
  Random random(5);
  for (size_t n : {1, 3, 8, 16, 17, 255}) {
    const std::vector<uint8_t> x = random.codes(n, Flavour::kPlain);
    std::vector<float> expected(n);
    scalar_kernels().dequantize_u8_f32(x.data(), n, 0.037f, 129, expected.data());
    for_each_isa([&](const KernelTable& kernels) {
      std::vector<float> y(n);
      kernels.dequantize_u8_f32(x.data(), n, 0.037f, 129, y.data());
      CHECK(same_bytes(y, expected));
    });
  }
}

TEST_CASE("table_u8: rows with gaps, in place") {
  Random random(6);
  const std::vector<uint8_t> table = random.codes(256, Flavour::kPlain);
  for (size_t n : {1, 16, 63, 64, 100})
    for (size_t gap : {0, 3}) {
      const std::vector<uint8_t> x = random.codes(5 * (n + gap), Flavour::kPlain);
      std::vector<uint8_t> expected = x;
      scalar_kernels().table_u8({expected.data(), expected.data(), 5, n, n + gap, n + gap, table.data()});
      for_each_isa([&](const KernelTable& kernels) {
        std::vector<uint8_t> y = x;
        kernels.table_u8({y.data(), y.data(), 5, n, n + gap, n + gap, table.data()});
        CHECK(same_bytes(y, expected));
      });
    }
}
