// AVX-VNNI, for CPUs without AVX-512: the integer convolution. All else of the level is AVX2's.
#include "kernels/avxvnni/conv.h"
#include "kernels/plug.h"

namespace quantize {

namespace {

/// Twelve independent sums: more than the latency of vpdpbusd times its two ports.
uint64_t probe_u8s8(uint64_t rounds) noexcept {
  const __m256i x = _mm256_set1_epi8(3), w = _mm256_set1_epi8(-2);
  __m256i a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
  for (uint64_t r = 0; r < rounds; ++r) {
    dot(a, x, w), dot(b, x, w), dot(c, x, w), dot(d, x, w), dot(e, x, w), dot(f, x, w);
    dot(g, x, w), dot(h, x, w), dot(i, x, w), dot(j, x, w), dot(k, x, w), dot(l, x, w);
  }
  for (const __m256i& sum : {a, b, c, d, e, f, g, h, i, j, k, l}) asm volatile("" : : "x"(sum));
  return rounds * 12 * 32;
}

}  // namespace

void plug_avxvnni(KernelTable& table) {
  plug_conv<DotProduct>(table);
  table.probe_u8s8 = probe_u8s8;
}

}  // namespace quantize
