// Packing of the left matrix of a GEMM, for any level.
#include <algorithm>
#include <type_traits>

#include "kernels/kernel_table.h"

namespace quantize {

namespace {

/// Packs `count` rows into a panel of mr rows; returns its end. As constants, both take the loop over the rows apart.
template <typename Mr, typename Count>
float* pack_panel(Mr mr, Count count, const MatrixF32& rows, float* packed) {
  const float* a = rows.data;
  for (size_t column = 0; column < rows.columns; ++column, a += rows.column_stride, packed += mr)
    for (size_t row = 0; row < mr; ++row) packed[row] = row < count ? a[row * rows.row_stride] : 0.0f;
  return packed;
}

template <size_t kValue>
using Constant = std::integral_constant<size_t, kValue>;

}  // namespace

size_t packed_gemm_a_bytes(const KernelTable& kernels, size_t m, size_t k) {
  const size_t panels = (m + kernels.gemm_mr - 1) / kernels.gemm_mr;
  return panels * kernels.gemm_mr * k * sizeof(float);
}

void pack_gemm_a_f32(const KernelTable& kernels, const MatrixF32& a, float* packed) noexcept {
  const size_t mr = kernels.gemm_mr;
  for (size_t first = 0; first < a.rows; first += mr) {
    const size_t count = std::min(mr, a.rows - first);
    const MatrixF32 rows{a.data + first * a.row_stride, count, a.columns, a.row_stride, a.column_stride};
    if (count == 8 && mr == 8)
      packed = pack_panel(Constant<8>(), Constant<8>(), rows, packed);
    else if (count == 4 && mr == 4)
      packed = pack_panel(Constant<4>(), Constant<4>(), rows, packed);
    else
      packed = pack_panel(mr, count, rows, packed);
  }
}

}  // namespace quantize
