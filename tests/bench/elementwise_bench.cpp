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

}  // namespace

TEST_CASE("element by element") {
  Operands operands;
  for_each_fast_isa([&](const KernelTable& kernels) {
    bench_codes(operands, kernels);
    bench_reals(operands, kernels);
  });
}

}  // namespace quantize::bench
