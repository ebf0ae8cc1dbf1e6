// AVX2: the integer convolutions.
#include "kernels/avx2/conv_u8s8.h"
#include "kernels/avx2/depthwise_u8s8.h"
#include "kernels/kernel_table.h"
#include "kernels/plug.h"

namespace quantize {

namespace {

/// Eight independent sums of maddubs, maddwd, addd.
uint64_t probe_u8s8(uint64_t rounds) noexcept {
  const __m256i x = _mm256_set1_epi8(3), w = _mm256_set1_epi8(-2), ones = _mm256_set1_epi16(1);
  __m256i a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x;
  const auto step = [&](__m256i & sum) __attribute__((always_inline)) {
    __m256i product = x;
    asm volatile("" : "+x"(product));  // else the product is computed once for all
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(product, w), ones));
  };
  for (uint64_t r = 0; r < rounds; ++r)
    step(a), step(b), step(c), step(d), step(e), step(f), step(g), step(h);
  for (const __m256i& sum : {a, b, c, d, e, f, g, h}) asm volatile("" : : "x"(sum));
  return rounds * 8 * 32;
}

}  // namespace

void plug_avx2_conv(KernelTable& table) {
  plug_conv<ExactProduct>(table);
  table.depthwise_u8s8_bytes = depthwise_bytes;
  table.depthwise_u8s8_pack = depthwise_pack;
  table.depthwise_u8s8 = depthwise;
  table.probe_u8s8 = probe_u8s8;
}

}  // namespace quantize
