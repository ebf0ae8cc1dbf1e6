// softmax_f32, softmax_u8, layer_norm_f32, erf_f32, tanh_f32, function_f32: against their definitions in double, and
// every level against the scalar reference.
#include "tests/kernels/kernel_test.h"

using namespace quantize;
using namespace quantize::test;

namespace {

constexpr size_t kLengths[] = {1, 2, 3, 7, 8, 15, 16, 17, 33, 197, 4096, 4097, 9000};

std::vector<float> softmax_of(const KernelTable& kernels, std::vector<float> x) {
  kernels.softmax_f32(x.data(), x.data(), x.size());
  return x;
}

std::vector<uint8_t> codes_of(const KernelTable& kernels, const std::vector<uint8_t>& x, float x_scale,
                              float y_scale, int32_t zero_point) {
  std::vector<uint8_t> y(x.size() + 3, 0xA5);
  std::vector<float> reals(x.size());
  kernels.softmax_u8({x.data(), y.data(), reals.data(), x.size(), x_scale, y_scale, zero_point});
  return y;
}

std::vector<uint8_t> random_codes(size_t n, uint32_t seed) {
  std::vector<uint8_t> codes;
  for (float real : random_floats(n, seed, 0, 255.9f)) codes.push_back(static_cast<uint8_t>(real));
  return codes;
}

template <typename T>
double sum_of(const std::vector<T>& x) {
  double sum = 0;
  for (T each : x) sum += static_cast<double>(each);
  return sum;
}

}  // namespace

TEST_CASE("softmax_f32: within its stated accuracy, the bytes of the reference") {
  for (size_t n : kLengths) {
    INFO(n << " elements");
    const std::vector<float> x = random_floats(n, static_cast<uint32_t>(n), -30, 30);
    const std::vector<float> expected = softmax_of(scalar_kernels(), x);
    std::vector<double> exact;
    for (float each : x) exact.push_back(std::exp(static_cast<double>(each) - 30));
    const double sum = sum_of(exact);
    for (size_t i = 0; i < n; ++i)
      CHECK(static_cast<double>(expected[i]) == Approx(exact[i] / sum).epsilon(4e-6).margin(1e-38));
    for_each_isa([&](const KernelTable& kernels) { CHECK(same_bytes(softmax_of(kernels, x), expected)); });
  }
  for_each_isa([&](const KernelTable& kernels) {
    CHECK(std::isnan(softmax_of(kernels, {1, kNan, 2})[0]));
    CHECK(softmax_of(kernels, {1, -kInf}) == std::vector<float>{1, 0});
  });
}

TEST_CASE("softmax_u8: near its definition, the bytes of the reference") {
  uint32_t seed = 5;
  for (size_t n : kLengths)
    for (float x_scale : {0.002f, 0.07f, 3.0f}) {
      INFO(n << " codes of scale " << x_scale);
      const std::vector<uint8_t> x = random_codes(n, ++seed);
      const int32_t zero_point = static_cast<int32_t>(seed * 37 % 256);
      const float y_scale = n < 100 ? 1.0f / 255 : 1.0f / 2550;
      const std::vector<uint8_t> expected = codes_of(scalar_kernels(), x, x_scale, y_scale, zero_point);
      std::vector<double> exact;
      for (uint8_t each : x) exact.push_back(std::exp((each - 255) * static_cast<double>(x_scale)));
      const double sum = sum_of(exact);
      for (size_t i = 0; i < n; ++i) {
        const double code = exact[i] / sum / static_cast<double>(y_scale) + zero_point;
        CHECK(std::abs(expected[i] - std::min(code, 255.0)) <= 0.501);
      }
      for_each_isa([&](const KernelTable& kernels) {
        CHECK(same_bytes(codes_of(kernels, x, x_scale, y_scale, zero_point), expected));
      });
    }
}

TEST_CASE("softmax_columns_u8: the bytes of softmax_u8, and no others are written") {
  uint32_t seed = 5;
  for (size_t n : {1, 2, 15, 16, 17, 100})
    for (size_t columns : {1, 3, 16, 50}) {
      INFO(n << " rows, " << columns << " columns");
      const size_t stride = columns + 5;
      const std::vector<uint8_t> x = random_codes(n * stride, ++seed);
      std::vector<uint8_t> expected(x.size(), 0xA5);
      for (size_t c = 0; c < columns; ++c) {
        std::vector<uint8_t> column;
        for (size_t i = 0; i < n; ++i) column.push_back(x[i * stride + c]);
        const std::vector<uint8_t> y = codes_of(scalar_kernels(), column, 0.02f, 1.0f / 300, 7);
        for (size_t i = 0; i < n; ++i) expected[i * stride + c] = y[i];
      }
      for_each_isa([&](const KernelTable& kernels) {
        std::vector<uint8_t> y(x.size(), 0xA5);
        std::vector<float> reals(n * kSoftmaxColumns);
        kernels.softmax_columns_u8(
            {x.data(), y.data(), reals.data(), n, 0.02f, 1.0f / 300, 7, columns, stride});
        CHECK(same_bytes(y, expected));
      });
    }
}

TEST_CASE("layer_norm_f32: near its definition, the bytes of the reference") {
  for (size_t n : kLengths) {
    INFO(n << " elements");
    const auto seed = static_cast<uint32_t>(n);
    const std::vector<float> x = random_floats(n, seed, 90, 110), scale = random_floats(n, seed + 1),
                             bias = random_floats(n, seed + 2);
    std::vector<float> expected(n);
    const auto run = [&](const KernelTable& kernels, std::vector<float>& y) {
      return kernels.layer_norm_f32({x.data(), scale.data(), bias.data(), y.data(), n, 1e-5f});
    };
    const RowMoments moments = run(scalar_kernels(), expected);
    const double mean = sum_of(x) / static_cast<double>(n);
    std::vector<double> squares;
    for (float each : x)
      squares.push_back((static_cast<double>(each) - mean) * (static_cast<double>(each) - mean));
    const double factor = 1 / std::sqrt(sum_of(squares) / static_cast<double>(n) + 1e-5);
    CHECK(static_cast<double>(moments.mean) == Approx(mean).epsilon(1e-6));
    if (n > 1) CHECK(static_cast<double>(moments.inv_deviation) == Approx(factor).epsilon(1e-5));
    for (size_t i = 0; n > 1 && i < n; ++i) {
      const double normal = (static_cast<double>(x[i]) - mean) * factor;
      const double exact = normal * static_cast<double>(scale[i]) + static_cast<double>(bias[i]);
      CHECK(static_cast<double>(expected[i]) == Approx(exact).margin(2e-5));
    }
    for_each_isa([&](const KernelTable& kernels) {
      std::vector<float> y(n);
      const RowMoments own = run(kernels, y);
      CHECK(same_bytes(y, expected));
      CHECK((own.mean == moments.mean && own.inv_deviation == moments.inv_deviation));
    });
  }
}

TEST_CASE("erf_f32: within its stated accuracy, the bytes of the reference") {
  std::vector<float> x = random_floats(20000, 3, -5, 5);
  for (float each : {0.0f, 1e-30f, -1e-5f, 0.4999999f, 0.5f, -0.5f, 30.0f, -kInf, kInf}) x.push_back(each);
  std::vector<float> expected(x.size());
  scalar_kernels().erf_f32(x.data(), expected.data(), x.size());
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double exact = std::erf(static_cast<double>(x[i]));
    if (exact != 0) worst = std::max(worst, std::abs(static_cast<double>(expected[i]) / exact - 1));
  }
  CHECK(worst <= 5e-7);
  for_each_isa([&](const KernelTable& kernels) {
    std::vector<float> y = x;
    kernels.erf_f32(y.data(), y.data(), y.size());
    CHECK(same_bytes(y, expected));
  });
}

TEST_CASE("tanh_f32: within its stated accuracy, the bytes of the reference") {
  std::vector<float> x = random_floats(20000, 3, -5, 5);
  for (float each : {0.0f, 1e-30f, -1e-5f, 0.6249999f, 0.625f, -0.625f, 30.0f, -kInf, kInf})
    x.push_back(each);
  std::vector<float> expected(x.size());
  scalar_kernels().tanh_f32(x.data(), expected.data(), x.size());
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double exact = std::tanh(static_cast<double>(x[i]));
    if (exact != 0) worst = std::max(worst, std::abs(static_cast<double>(expected[i]) / exact - 1));
  }
  CHECK(worst <= 5e-7);
  for_each_isa([&](const KernelTable& kernels) {
    std::vector<float> y = x;
    kernels.tanh_f32(y.data(), y.data(), y.size());
    CHECK(same_bytes(y, expected));
  });
}

TEST_CASE("function_f32: the bytes of the reference") {
  for (Function function : kFunctions) {
    const std::vector<float> x = random_floats(1003, 3, -12, 12);
    for_each_isa([&](const KernelTable& kernels) {
      std::vector<float> y = x;
      kernels.function_f32(function, 0.1f, y.data(), y.data(), y.size());
      bool same = true;
      for (size_t i = 0; i < x.size(); ++i) same = same && y[i] == function_value(function, 0.1f, x[i]);
      CHECK(same);
    });
  }
}
