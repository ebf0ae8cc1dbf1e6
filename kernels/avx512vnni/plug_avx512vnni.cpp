// AVX-512 with VNNI: the integer convolutions.
#include "kernels/avx512vnni/conv.h"
#include "kernels/avx512vnni/depthwise.h"
#include "kernels/kernel_table.h"
#include "kernels/plug.h"

namespace quantize {

namespace {

/// Twelve independent sums: more than the latency of vpdpbusd times its two ports.
uint64_t probe_u8s8(uint64_t rounds) noexcept {
  const __m512i x = _mm512_set1_epi8(3), w = _mm512_set1_epi8(-2);
  __m512i a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
  for (uint64_t r = 0; r < rounds; ++r) {
    dot(a, x, w), dot(b, x, w), dot(c, x, w), dot(d, x, w), dot(e, x, w), dot(f, x, w);
    dot(g, x, w), dot(h, x, w), dot(i, x, w), dot(j, x, w), dot(k, x, w), dot(l, x, w);
  }
  for (const __m512i& sum : {a, b, c, d, e, f, g, h, i, j, k, l}) asm volatile("" : : "v"(sum));
  return rounds * 12 * 64;
}

size_t packed_bytes(const ConvWeightsU8S8& w) noexcept {
  return conv_bytes(w, groups_of(w));
}

void pack(const ConvWeightsU8S8& w, void* packed) noexcept {
  conv_pack(w, groups_of(w), packed);
}

void conv(const ConvU8S8& call) noexcept {
  simd::conv<ConvLevel>(call, look_up);
}

}  // namespace

void plug_avx512vnni(KernelTable& table) {
  table.conv_u8s8_panel = kPanel;
  table.conv_u8s8_bytes = packed_bytes;
  table.conv_u8s8_pack = pack;
  table.conv_u8s8 = conv;
  table.depthwise_u8s8_bytes = depthwise_bytes;
  table.depthwise_u8s8_pack = depthwise_pack;
  table.depthwise_u8s8 = depthwise;
  table.table_u8 = look_up;
  table.probe_u8s8 = probe_u8s8;
}

}  // namespace quantize
