// The kernels that multiply, each beside the probe of its level: what share of the peak they reach.
#include "tests/bench/bench.h"

namespace quantize::bench {

namespace {

using test::AlignedBytes;
using test::Flavour;
using test::LayerConstants;
using test::Random;

constexpr uint64_t kProbeRounds = 20000;

/// A square image in the middle of a network: its border is in memory.
struct Layer {
  const char* name;
  size_t kernel, stride, in, out, size;  // size: rows and columns of the output
  bool residual = false;
  size_t span() const { return (size - 1) * stride + kernel; }
  size_t pixels() const { return size * size; }
};

constexpr Layer kConvs[] = {{"stem 7x7/2 3-64 112x112", 7, 2, 3, 64, 112},
                            {"1x1 64-256 56x56", 1, 1, 64, 256, 56},
                            {"1x1 64-256 56x56 residual", 1, 1, 64, 256, 56, true},
                            {"3x3 64-64 56x56", 3, 1, 64, 64, 56},
                            {"3x3/2 128-128 28x28", 3, 2, 128, 128, 28},
                            {"1x1 1024-512 14x14", 1, 1, 1024, 512, 14},
                            {"3x3 512-512 7x7", 3, 1, 512, 512, 7},
                            {"1x1 24-144 56x56", 1, 1, 24, 144, 56}};

constexpr Layer kDepthwise[] = {{"3x3 144 56x56", 3, 1, 144, 144, 56},
                                {"3x3/2 144 28x28", 3, 2, 144, 144, 28},
                                {"5x5 240 14x14", 5, 1, 240, 240, 14}};

void bench_conv(const Layer& layer, const KernelTable& kernels) {
  // The kernel's rows are runs: all columns of a row lie side by side.
  const size_t depth = layer.in * layer.kernel, row = layer.span() * layer.in;
  Random random(1);
  const auto x = random.codes(layer.span() * row + 3, Flavour::kPlain);
  const auto weights = random.weights(layer.out * layer.kernel * depth, Flavour::kPlain);
  const LayerConstants constants(random, layer.out, layer.kernel * depth, Flavour::kPlain);
  const ConvWeightsU8S8 source{layer.out, layer.kernel, depth, weights.data(), constants.view()};
  AlignedBytes packed(kernels.conv_u8s8_bytes(source));
  kernels.conv_u8s8_pack(source, packed.get());
  std::vector<int32_t> taps;
  for (size_t t = 0; t < layer.kernel; ++t) taps.push_back(static_cast<int32_t>(t * row));
  std::vector<uint8_t> y(layer.pixels() * layer.out);
  const test::TestEpilogue epilogue(random, y.size(), layer.residual ? 1 : 0);
  ConvU8S8 call;
  call.packed = packed.get();
  call.x = x.data();
  call.tap_offsets = taps.data();
  call.x_pixel_stride = layer.stride * layer.in;
  call.x_row_stride = layer.stride * row;
  call.y = y.data();
  call.y_pixel_stride = layer.out;
  call.y_row_stride = layer.size * layer.out;
  call.rows = call.width = layer.size;
  call.channel_end = layer.out;
  call.epilogue = epilogue.view(epilogue.b.data(), call.y_pixel_stride, call.y_row_stride);
  const double macs = static_cast<double>(layer.pixels() * weights.size());
  measure("conv_u8s8", layer.name, kernels, macs_of_codes(macs), [&] {
    kernels.conv_u8s8(call);
    return y[0];
  });
}

void bench_depthwise(const Layer& layer, const KernelTable& kernels) {
  Random random(2);
  const size_t channels = layer.out, row = layer.span() * channels;
  const auto x = random.codes(layer.span() * row + 63, Flavour::kPlain);
  const auto weights = random.weights(channels * layer.kernel * layer.kernel, Flavour::kPlain);
  const LayerConstants constants(random, channels, layer.kernel * layer.kernel, Flavour::kPlain);
  const DepthwiseWeightsU8S8 source{channels, layer.kernel, layer.kernel, weights.data(), constants.view()};
  AlignedBytes packed(kernels.depthwise_u8s8_bytes(source));
  kernels.depthwise_u8s8_pack(source, packed.get());
  std::vector<uint8_t> y(layer.pixels() * channels);
  DepthwiseU8S8 call;
  call.packed = packed.get();
  call.x = x.data();
  call.x_pixel_stride = channels;
  call.x_row_stride = row;
  call.stride_h = call.stride_w = layer.stride;
  call.y = y.data();
  call.y_pixel_stride = channels;
  call.y_row_stride = layer.size * channels;
  call.rows = call.width = layer.size;
  const double macs = static_cast<double>(layer.pixels() * weights.size());
  measure("depthwise_u8s8", layer.name, kernels, macs_of_codes(macs), [&] {
    kernels.depthwise_u8s8(call);
    return y[0];
  });
}

void bench_gemm(size_t m, size_t n, size_t k, const KernelTable& kernels) {
  const std::vector<float> a = test::random_floats(m * k, 3), b = test::random_floats(k * n, 4);
  AlignedBytes packed(packed_gemm_a_bytes(kernels, m, k));
  pack_gemm_a_f32(kernels, {a.data(), m, k, k}, static_cast<float*>(packed.get()));
  std::vector<float> c(m * n);
  std::vector<size_t> rows;
  for (size_t i = 0; i < k; ++i) rows.push_back(i * n);
  GemmF32 call;
  call.m = m;
  call.n = n;
  call.k = k;
  call.a = static_cast<const float*>(packed.get());
  call.b = b.data();
  call.b_rows = rows.data();
  call.segment = n;
  call.c = c.data();
  call.ldc = n;
  call.low = -test::kInf;
  call.high = test::kInf;
  const std::string shape = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  measure("gemm_f32", shape, kernels, macs_of_reals(static_cast<double>(m * n * k)), [&] {
    kernels.gemm_f32(call);
    return c[0];
  });
}

}  // namespace

TEST_CASE("probe") {
  for_each_fast_isa([](const KernelTable& kernels) {
    const auto u8s8 = static_cast<double>(kernels.probe_u8s8(kProbeRounds));
    const auto f32 = static_cast<double>(kernels.probe_f32(kProbeRounds));
    measure("probe", "registers", kernels, macs_of_codes(u8s8),
            [&] { return kernels.probe_u8s8(kProbeRounds); });
    measure("probe", "registers", kernels, macs_of_reals(f32),
            [&] { return kernels.probe_f32(kProbeRounds); });
  });
}

TEST_CASE("convolutions") {
  for_each_fast_isa([](const KernelTable& kernels) {
    for (const Layer& layer : kConvs) bench_conv(layer, kernels);
    for (const Layer& layer : kDepthwise) bench_depthwise(layer, kernels);
  });
}

TEST_CASE("gemm_f32") {
  for_each_fast_isa([](const KernelTable& kernels) {
    bench_gemm(64, 3136, 576, kernels);
    bench_gemm(512, 196, 1024, kernels);
  });
}

}  // namespace quantize::bench
