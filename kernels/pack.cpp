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

GemmForm gemm_form(const KernelTable& kernels, size_t m, size_t n, size_t k, size_t segment) noexcept {
  // In units of one product of vectors: what is multiplied, and about four for each vector that is stored; a vector of
  // rows is stored number by number.
  const auto vectors = [&](size_t count) { return (count + kernels.gemm_lanes - 1) / kernels.gemm_lanes; };
  const size_t rest = n % std::max<size_t>(segment, 1);
  const size_t columns = segment == 0 ? 0 : n / segment * vectors(segment) + vectors(rest);
  const size_t wide = m * columns * (k + 4), tall = n * vectors(m) * (k + kernels.gemm_lanes);
  if (tall < wide) return {kernels.gemm_tall_mr, kernels.gemm_tall_f32};
  return {kernels.gemm_mr, kernels.gemm_f32};
}

size_t packed_panels_bytes(size_t panel, size_t m, size_t k) {
  return (m + panel - 1) / panel * panel * k * sizeof(float);
}

size_t packed_gemm_a_bytes(const KernelTable& kernels, size_t m, size_t k) {
  return packed_panels_bytes(kernels.gemm_mr, m, k);
}

void pack_gemm_a_f32(const KernelTable& kernels, const MatrixF32& a, float* packed) noexcept {
  pack_panels_f32(kernels.gemm_mr, a, packed);
}

void pack_panels_f32(size_t mr, const MatrixF32& a, float* packed) noexcept {
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
