// AVX-512 with VNNI: the integer convolutions.
#include "kernels/avx512vnni/conv.h"
#include "kernels/avx512vnni/depthwise.h"
#include "kernels/kernel_table.h"
#include "kernels/plug.h"

namespace quantize {

namespace {

/// 24 independent sums: more than the latency of vpdpbusd times its two ports.
uint64_t probe_u8s8(uint64_t rounds) noexcept {
  constexpr int kSums = 24;
  __m512i sums[kSums], x = _mm512_set1_epi8(3), w = _mm512_set1_epi8(-2);
  for (int i = 0; i < kSums; ++i) sums[i] = _mm512_set1_epi32(i);
  for (uint64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 24
    for (int i = 0; i < kSums; ++i) dot(sums[i], x, w);
  __m512i total = sums[0];
  for (int i = 1; i < kSums; ++i) total = _mm512_xor_si512(total, sums[i]);
  asm volatile("" : : "v"(total));
  return rounds * kSums * 64;
}

}  // namespace

void plug_avx512vnni(KernelTable& table) {
  table.conv_u8s8_panel = kPanel;
  table.conv_u8s8_bytes = conv_bytes;
  table.conv_u8s8_pack = conv_pack;
  table.conv_u8s8 = conv;
  table.depthwise_u8s8_bytes = depthwise_bytes;
  table.depthwise_u8s8_pack = depthwise_pack;
  table.depthwise_u8s8 = depthwise;
  table.probe_u8s8 = probe_u8s8;
}

}  // namespace quantize
