// AArch64's Advanced SIMD, which all such CPUs have: the templates of kernels/simd with four lanes.
#include "kernels/kernel_table.h"
#include "kernels/neon/depthwise.h"
#include "kernels/neon/plug_conv.h"
#include "kernels/neon/product.h"
#include "kernels/neon/table.h"
#include "kernels/neon/vector.h"
#include "kernels/plug.h"
#include "kernels/simd/codes.h"
#include "kernels/simd/depthwise.h"
#include "kernels/simd/elementwise.h"
#include "kernels/simd/gemm.h"
#include "kernels/simd/gemm_tall.h"
#include "kernels/simd/statistics.h"
#include "kernels/simd/winograd.h"

namespace quantize {

namespace {

constexpr int kTallVectors = 4, kTallColumns = 6;  // 24 more sums
constexpr int kMr = 8, kVectors = 3;               // 24 of the 32 registers hold sums

}  // namespace

void plug_neon(KernelTable& table) {
  table.gemm_mr = kMr;
  table.gemm_nr = F32x4::kLanes * kVectors;
  table.gemm_lanes = F32x4::kLanes;
  table.gemm_tall_mr = F32x4::kLanes * kTallVectors;
  table.gemm_tall_f32 = simd::gemm_tall<F32x4, kTallVectors, kTallColumns>;
  table.gemm_f32 = simd::gemm<F32x4, kMr, kVectors>;
  table.winograd_input_f32 = simd::winograd_input<F32x4>;
  table.winograd_output_f32 = simd::winograd_output<F32x4>;
  table.depthwise_f32 = simd::depthwise<F32x4>;
  table.exp_f32 = simd::map<F32x4, simd::exp<F32x4>>;
  table.sigmoid_f32 = simd::map<F32x4, simd::sigmoid<F32x4>>;
  simd::plug_statistics<F32x4>(table);
  table.quantize_f32_u8 = simd::quantize<F32x4, uint8_t, 0, 255>;
  table.quantize_f32_s8 = simd::quantize<F32x4, int8_t, -128, 127>;
  simd::plug_codes<F32x4, U8x16>(table);
  table.table_u8 = look_up;
  plug_conv<WordProduct>(table);
  table.depthwise_u8s8_bytes = depthwise_bytes;
  table.depthwise_u8s8_pack = depthwise_pack;
  table.depthwise_u8s8 = depthwise;
}

}  // namespace quantize
