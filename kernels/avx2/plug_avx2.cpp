// AVX2 and FMA kernels: the templates of kernels/simd with eight lanes.
#include "kernels/avx2/vector.h"
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

constexpr int kTallVectors = 2, kTallColumns = 6;  // 12 more sums
// Products that are summed at a time: in the first-level cache are 12 KiB of B, or 8 KiB of a tall A and as much of B.
constexpr size_t kDepth = 128;
constexpr int kMr = 4, kVectors = 3;  // 12 of the 16 registers hold sums

}  // namespace

void plug_avx2(KernelTable& table) {
  plug_avx2_conv(table);
  table.gemm_mr = kMr;
  table.gemm_nr = F32x8::kLanes * kVectors;
  table.gemm_lanes = F32x8::kLanes;
  table.gemm_tall_mr = F32x8::kLanes * kTallVectors;
  table.gemm_tall_f32 = simd::gemm_tall<F32x8, kTallVectors, kTallColumns, kDepth>;
  table.gemm_f32 = simd::gemm_by_depth<F32x8, kMr, kVectors, kDepth>;
  table.winograd_input_f32 = simd::winograd_input<F32x8>;
  table.winograd_output_f32 = simd::winograd_output<F32x8>;
  table.depthwise_f32 = simd::depthwise<F32x8>;
  table.exp_f32 = simd::map<F32x8, simd::exp<F32x8>>;
  table.sigmoid_f32 = simd::map<F32x8, simd::sigmoid<F32x8>>;
  simd::plug_statistics<F32x8>(table);
  table.quantize_f32_u8 = simd::quantize<F32x8, uint8_t, 0, 255>;
  table.quantize_f32_s8 = simd::quantize<F32x8, int8_t, -128, 127>;
  simd::plug_codes<F32x8, U8x32>(table);
  table.table_u8 = simd::table_u8<U8x32>;
}

}  // namespace quantize
