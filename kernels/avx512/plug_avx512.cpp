// AVX-512 F/BW/DQ/VL kernels: the templates of kernels/simd with sixteen lanes.
#include "kernels/avx512/vector.h"
#include "kernels/kernel_table.h"
#include "kernels/plug.h"
#include "kernels/simd/codes.h"
#include "kernels/simd/depthwise.h"
#include "kernels/simd/elementwise.h"
#include "kernels/simd/gemm.h"
#include "kernels/simd/gemm_tall.h"
#include "kernels/simd/statistics.h"
#include "kernels/simd/table.h"
#include "kernels/simd/winograd.h"

namespace quantize {

namespace {

constexpr int kTallVectors = 4, kTallColumns = 6;  // 24 more sums
constexpr int kMr = 8, kVectors = 3;               // 24 of the 32 registers hold sums

// Eight lanes for rows of an image that would leave half of sixteen empty.
void gemm_f32(const GemmF32& g) noexcept {
  if (g.segment <= F32x8::kLanes) return simd::gemm<F32x8, kMr, kVectors>(g);
  simd::gemm<F32x16, kMr, kVectors>(g);
}

void depthwise_f32(const DepthwiseF32& d) noexcept {
  if (d.out_width <= F32x8::kLanes) return simd::depthwise<F32x8>(d);
  simd::depthwise<F32x16>(d);
}

/// Sixteen independent sums of maddubs, maddwd, addd.
uint64_t probe_u8s8(uint64_t rounds) noexcept {
  constexpr int kSums = 16;
  const __m512i x = _mm512_set1_epi8(3), w = _mm512_set1_epi8(-2), ones = _mm512_set1_epi16(1);
  __m512i sums[kSums];
#pragma GCC unroll 16
  for (int i = 0; i < kSums; ++i) sums[i] = x;
  for (uint64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) {
      __m512i product = x;
      asm volatile("" : "+v"(product));  // else the product is computed once for all
      sums[i] = _mm512_add_epi32(sums[i], _mm512_madd_epi16(_mm512_maddubs_epi16(product, w), ones));
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kSums; ++i) asm volatile("" : : "v"(sums[i]));
  return rounds * kSums * 64;
}

}  // namespace

void plug_avx512(KernelTable& table) {
  table.gemm_mr = kMr;
  table.gemm_nr = F32x16::kLanes * kVectors;
  table.gemm_lanes = F32x16::kLanes;
  table.gemm_tall_mr = F32x16::kLanes * kTallVectors;
  table.gemm_tall_f32 = simd::gemm_tall<F32x16, kTallVectors, kTallColumns>;
  table.gemm_f32 = gemm_f32;
  table.winograd_input_f32 = simd::winograd_input<F32x16>;
  table.winograd_output_f32 = simd::winograd_output<F32x16>;
  table.depthwise_f32 = depthwise_f32;
  table.exp_f32 = simd::map<F32x16, simd::exp<F32x16>>;
  table.sigmoid_f32 = simd::map<F32x16, simd::sigmoid<F32x16>>;
  simd::plug_statistics<F32x16>(table);
  table.quantize_f32_u8 = simd::quantize<F32x16, uint8_t, 0, 255>;
  table.quantize_f32_s8 = simd::quantize<F32x16, int8_t, -128, 127>;
  simd::plug_codes<F32x16, U8x64>(table);
  table.table_u8 = simd::table_u8<U8x64>;
  table.probe_u8s8 = probe_u8s8;
}

}  // namespace quantize
