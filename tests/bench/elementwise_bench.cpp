// The kernels that move and change elements: bytes per second of what they read and write, from the L2 cache.
#include "tests/bench/bench.h"

namespace quantize::bench {

namespace {

constexpr size_t kElements = 64 << 10;

/// Operands of every kind; the kernels take what they need.
struct Operands {
  std::vector<uint8_t> codes, other, result = std::vector<uint8_t>(kElements);
  std::vector<float> reals = test::random_floats(kElements, 5, -4, 4),
                     real_result = std::vector<float>(kElements);
  std::vector<uint8_t> table = std::vector<uint8_t>(256, 7);

  Operands() {
    test::Random random(6);
    codes = random.codes(kElements, test::Flavour::kPlain);
    other = random.codes(kElements, test::Flavour::kPlain);
  }
};

void bench_codes(Operands& o, const KernelTable& kernels) {
  const std::string shape = std::to_string(kElements);
  uint8_t* y = o.result.data();
  measure("table_u8", shape, kernels, bytes(2 * kElements), [&] {
    kernels.table_u8({o.codes.data(), y, 1, kElements, 0, 0, o.table.data()});
    return y[0];
  });
  measure("add_u8", shape, kernels, bytes(3 * kElements), [&] {
    kernels.add_u8({o.codes.data(), o.other.data(), y, kElements, 0.61f, 0.77f, -17.3f});
    return y[0];
  });
  measure("mul_u8", shape, kernels, bytes(3 * kElements), [&] {
    kernels.mul_u8({o.codes.data(), o.other.data(), y, kElements, 3, 128, 0.01f, 7});
    return y[0];
  });
  measure("transpose_u8", "256x256", kernels, bytes(2 * kElements), [&] {
    kernels.transpose_u8(o.codes.data(), 256, 256, 256, y, 256);
    return y[0];
  });
  const PoolU8 window{o.codes.data(), 16, 16, 256, 16 * 256, 256, y, 0, 1.0f / 256, 0};
  measure("max_pool_u8", "16x16 of 256", kernels, bytes(kElements), [&] {
    kernels.max_pool_u8(window);
    return y[0];
  });
  measure("average_pool_u8", "16x16 of 256", kernels, bytes(kElements), [&] {
    kernels.average_pool_u8(window);
    return y[0];
  });
}

void bench_reals(Operands& o, const KernelTable& kernels) {
  const std::string shape = std::to_string(kElements);
  measure("quantize_f32_u8", shape, kernels, bytes(5 * kElements), [&] {
    kernels.quantize_f32_u8(o.reals.data(), kElements, 0.03f, 128, o.result.data());
    return o.result[0];
  });
  measure("dequantize_u8_f32", shape, kernels, bytes(5 * kElements), [&] {
    kernels.dequantize_u8_f32(o.codes.data(), kElements, 0.03f, 128, o.real_result.data());
    return o.real_result[0];
  });
  const std::vector<float> ratio(256, 30.0f), zero_point(256, 9.0f);
  for (const auto& [name, function] : {std::pair("256 channels, SiLU", Function::kSilu),
                                       std::pair("256 channels, HardSwish", Function::kHardSwish)})
    measure("function_u8", name, kernels, bytes(5 * kElements), [&, function = function] {
      kernels.function_u8({function, 0, o.reals.data(), o.result.data(), kElements / 256, 256, 256, 256,
                           ratio.data(), zero_point.data()});
      return o.result[0];
    });
  measure("exp_f32", shape, kernels, bytes(8 * kElements), [&] {
    kernels.exp_f32(o.reals.data(), o.real_result.data(), kElements);
    return o.real_result[0];
  });
  measure("sigmoid_f32", shape, kernels, bytes(8 * kElements), [&] {
    kernels.sigmoid_f32(o.reals.data(), o.real_result.data(), kElements);
    return o.real_result[0];
  });
}

/// Rows as attention over 14 x 14 pixels and a class has them.
void bench_rows(Operands& o, const KernelTable& kernels) {
  constexpr size_t kLength = 197, kRows = kElements / kLength;
  const std::string shape = std::to_string(kRows) + "x" + std::to_string(kLength);
  const auto each_row = [&](const char* name, double moved, auto kernel) {
    measure(name, shape, kernels, bytes(moved * kRows * kLength), [&] {
      for (size_t r = 0; r < kRows; ++r) kernel(r * kLength);
      return o.result[0];
    });
  };
  std::vector<float> reals(kLength * kSoftmaxColumns);
  each_row("softmax_f32", 8,
           [&](size_t at) { kernels.softmax_f32(o.reals.data() + at, o.real_result.data() + at, kLength); });
  each_row("softmax_u8", 2, [&](size_t at) {
    kernels.softmax_u8(
        {o.codes.data() + at, o.result.data() + at, reals.data(), kLength, 0.05f, 1.0f / 255, 0});
  });
  const std::vector<float> scale(kLength, 1.5f), bias(kLength, 0.1f);
  each_row("layer_norm_f32", 8, [&](size_t at) {
    kernels.layer_norm_f32(
        {o.reals.data() + at, scale.data(), bias.data(), o.real_result.data() + at, kLength, 1e-5f});
  });
  measure("softmax_columns_u8", "16x4096", kernels, bytes(2 * kElements), [&] {
    kernels.softmax_columns_u8(
        {o.codes.data(), o.result.data(), reals.data(), 16, 0.05f, 1.0f / 255, 0, 4096, 4096});
    return o.result[0];
  });
  measure("erf_f32", std::to_string(kElements), kernels, bytes(8 * kElements), [&] {
    kernels.erf_f32(o.reals.data(), o.real_result.data(), kElements);
    return o.result[0];
  });
  measure("function_f32", "GELU", kernels, bytes(8 * kElements), [&] {
    kernels.function_f32(Function::kGelu, 0, o.reals.data(), o.real_result.data(), kElements);
    return o.result[0];
  });
}

}  // namespace

TEST_CASE("element by element") {
  Operands operands;
  for_each_fast_isa([&](const KernelTable& kernels) {
    bench_codes(operands, kernels);
    bench_reals(operands, kernels);
    bench_rows(operands, kernels);
  });
}

}  // namespace quantize::bench
