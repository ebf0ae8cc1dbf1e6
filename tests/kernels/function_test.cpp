// function_u8 and activation_f32: the functions against their definitions in double, every level against the scalar reference.
#include "tests/kernels/kernel_test.h"

using namespace quantize;
using namespace quantize::test;

namespace {

constexpr float kAlpha = 0.1f;

double definition(Function function, double x) {
  const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
  switch (function) {
    case Function::kSigmoid:
      return sigmoid(x);
    case Function::kSilu:
      return x * sigmoid(x);
    case Function::kHardSwish:
      return x * std::min(std::max(x / 6 + 0.5, 0.0), 1.0);
    case Function::kGelu:
      return x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
    case Function::kGeluTanh:
      return x * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x))) / 2;
    case Function::kMish:
      return x * std::tanh(std::log1p(std::exp(x)));
    case Function::kLeakyRelu:
      return x > 0 ? x : static_cast<double>(kAlpha) * x;
  }
  return 0;
}

std::vector<uint8_t> run(const KernelTable& kernels, FunctionU8 call, const std::vector<float>& x) {
  std::vector<uint8_t> y(call.rows * call.y_stride, 0xA5);
  call.x = x.data();
  call.y = y.data();
  kernels.function_u8(call);
  return y;
}

}  // namespace

TEST_CASE("function_value: within its stated accuracy") {
  for (Function function : kFunctions) {
    INFO("function " << static_cast<int>(function));
    std::vector<float> x = random_floats(20000, 3, -12, 12);
    for (float large : {-1e4f, -300.0f, -60.0f, -0.0f, 0.0f, 60.0f, 300.0f, 1e4f}) x.push_back(large);
    double worst = 0;
    for (float each : x) {
      const double exact = definition(function, static_cast<double>(each));
      const double error = std::abs(static_cast<double>(function_value(function, kAlpha, each)) - exact);
      worst = std::max(worst, error / std::max(1.0, std::abs(static_cast<double>(each))));
    }
    CHECK(worst <= 4e-7);
  }
}

TEST_CASE("activation_f32: within its stated accuracy, the bytes of the reference, and NaN stays") {
  for (Function function : kFunctions) {
    INFO("function " << static_cast<int>(function));
    std::vector<float> x = random_floats(20001, 3, -12, 12);
    const std::vector<float> far = random_floats(2000, 4, -150, 150);
    x.insert(x.end(), far.begin(), far.end());
    for (float each : {-1e30f, -1e4f, -300.0f, -86.5f, -0.0f, 0.0f, 1e-30f, 86.5f, 87.0f, 300.0f, 1e4f})
      x.push_back(each);
    std::vector<float> expected(x.size());
    scalar_kernels().activation_f32(function, kAlpha, x.data(), expected.data(), x.size());
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact = definition(function, static_cast<double>(x[i]));
      const double error = std::abs(static_cast<double>(expected[i]) - exact);
      worst = std::max(worst, error / std::max(1.0, std::abs(static_cast<double>(x[i]))));
    }
    CHECK(worst <= 4e-7);
    for_each_isa([&](const KernelTable& kernels) {
      std::vector<float> y = x;
      kernels.activation_f32(function, kAlpha, y.data(), y.data(), y.size());
      CHECK(same_bytes(y, expected));
      y[3] = kNan;
      kernels.activation_f32(function, kAlpha, y.data(), y.data(), 5);
      CHECK(std::isnan(y[3]));
    });
  }
}

TEST_CASE("function_u8: every level gives the bytes of the reference") {
  uint32_t seed = 1;
  for (Function function : kFunctions)
    for (size_t n : {1, 3, 4, 7, 8, 15, 16, 17, 33, 64, 100}) {
      INFO("function " << static_cast<int>(function) << ", " << n << " channels");
      std::vector<float> x = random_floats(5 * (n + 2), seed, -9, 9);
      const std::vector<float> kinds = all_kinds_of_floats(x.size(), seed, true);
      for (size_t i = 0; i < x.size(); i += 3) x[i] = kinds[i];
      std::vector<float> ratio = random_floats(n, seed + 1, 1, 60),
                         zero_point = random_floats(n, seed + 2, 0, 255);
      for (float& z : zero_point) z = std::round(z);
      ratio[n / 2] = 1e30f;
      FunctionU8 call{function, kAlpha, nullptr, nullptr,      5,
                      n,        n + 2,  n + 3,   ratio.data(), zero_point.data()};
      std::vector<uint8_t> residual(5 * (n + 1));
      for (size_t i = 0; i < residual.size(); ++i) residual[i] = static_cast<uint8_t>(i * 89);
      for (const uint8_t* b : std::initializer_list<const uint8_t*>{nullptr, residual.data()}) {
        call.b = b;
        call.b_stride = n + 1;
        call.b_ratio = 0.7f;
        call.b_offset = 3.25f;
        const std::vector<uint8_t> expected = run(scalar_kernels(), call, x);
        for_each_isa([&](const KernelTable& kernels) { CHECK(same_bytes(run(kernels, call, x), expected)); });
      }
      ++seed;
    }
}
