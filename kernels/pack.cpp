// Packing of the left matrix of a GEMM, for any level.
#include "kernels/kernel_table.h"

namespace quantize {

size_t packed_gemm_a_bytes(const KernelTable& kernels, size_t m, size_t k) {
  const size_t panels = (m + kernels.gemm_mr - 1) / kernels.gemm_mr;
  return panels * kernels.gemm_mr * k * sizeof(float);
}

void pack_gemm_a_f32(const KernelTable& kernels, size_t m, size_t k, const float* a, size_t row_stride,
                     size_t column_stride, float* packed) noexcept {
  const size_t mr = kernels.gemm_mr;
  for (size_t first = 0; first < m; first += mr)
    for (size_t column = 0; column < k; ++column)
      for (size_t row = first; row < first + mr; ++row)
        *packed++ = row < m ? a[row * row_stride + column * column_stride] : 0.0f;
}

}  // namespace quantize
