// gemm_tall_f32 for any vector type V: vectors over rows of C, one column of B at a time as a factor. Start at gemm_tall().
#pragma once

#include <cstddef>

#include "kernels/kernel_table.h"

namespace quantize::simd {

/// Some columns of C, up to kColumns: where each reads B.
template <int kColumns>
struct TallColumns {
  const float* b[kColumns];
  size_t first = 0;  // the first of them in C
};

/// kUsed vectors of rows x kColumns of C, held in registers over the whole of k. `count` rows of them exist.
template <typename V, int kVectors, int kColumns, int kUsed, int kMost>
[[gnu::noinline]] void tall_tile(const GemmF32& g, size_t row, size_t count,
                                 const TallColumns<kMost>& columns) {
  using Reg = typename V::Reg;
  constexpr size_t kRows = V::kLanes * kUsed;
  Reg sum[kColumns][kUsed];
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c)
#pragma GCC unroll 8
    for (int v = 0; v < kUsed; ++v) sum[c][v] = V::set1(0);
  const float* b[kColumns];
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) b[c] = columns.b[c];
  const float* a = g.a + row * g.k;
  for (size_t k = 0; k < g.k; ++k, a += V::kLanes * kVectors) {
    const size_t at = g.b_rows[k];
    Reg w[kUsed];
#pragma GCC unroll 8
    for (int v = 0; v < kUsed; ++v) w[v] = V::load(a + v * V::kLanes);
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      const Reg factor = V::set1(b[c][at]);
#pragma GCC unroll 8
      for (int v = 0; v < kUsed; ++v) sum[c][v] = V::fma(w[v], factor, sum[c][v]);
    }
  }
  alignas(64) float tile[kColumns][kRows];
#pragma GCC unroll 8
  for (int v = 0; v < kUsed; ++v) {
    const auto left = static_cast<ptrdiff_t>(count) - static_cast<ptrdiff_t>(v * V::kLanes);
    const Reg row_bias =
        g.row_bias == nullptr ? V::set1(0) : V::load(g.row_bias + row + v * V::kLanes, V::lanes(0, left));
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      const Reg bias = g.column_bias == nullptr
                           ? row_bias
                           : V::add(row_bias, V::set1(g.column_bias[columns.first + static_cast<size_t>(c)]));
      const Reg value = V::add(sum[c][v], bias);
      V::store(tile[c] + v * V::kLanes,
               g.addend != nullptr ? value : V::min(V::set1(g.high), V::max(V::set1(g.low), value)));
    }
  }
  const size_t at = row * g.ldc + columns.first;
  for (size_t i = 0; i < count; ++i) {
    float* c = g.c + at + i * g.ldc;
    if (g.addend == nullptr) {
#pragma GCC unroll 8
      for (int j = 0; j < kColumns; ++j) c[j] = tile[j][i];
    } else {
      const float* addend = g.addend + at + i * g.ldc;
#pragma GCC unroll 8
      for (int j = 0; j < kColumns; ++j) {
        const float value = tile[j][i] + addend[j];
        const float above = g.low > value ? g.low : value;  // NaN stays
        c[j] = g.high < above ? g.high : above;
      }
    }
  }
}

template <typename V, int kVectors, int kColumns, int kMost, int kUsed = kVectors>
void choose_tall_rows(const GemmF32& g, size_t row, size_t count, const TallColumns<kMost>& columns) {
  if constexpr (kUsed > 1)
    if (count <= V::kLanes * (kUsed - 1))
      return choose_tall_rows<V, kVectors, kColumns, kMost, kUsed - 1>(g, row, count, columns);
  tall_tile<V, kVectors, kColumns, kUsed>(g, row, count, columns);
}

template <typename V, int kVectors, int kMost, int kColumns = kMost>
void choose_tall_columns(const GemmF32& g, size_t row, size_t count, size_t used,
                         const TallColumns<kMost>& columns) {
  if constexpr (kColumns > 1)
    if (used < kColumns)
      return choose_tall_columns<V, kVectors, kMost, kColumns - 1>(g, row, count, used, columns);
  choose_tall_rows<V, kVectors, kColumns, kMost>(g, row, count, columns);
}

/// Panel by panel of A, which stays in the second-level cache while all columns of B pass.
template <typename V, int kVectors, int kColumns>
void gemm_tall(const GemmF32& g) noexcept {
  constexpr size_t kPanel = V::kLanes * kVectors;
  for (size_t row = 0; row < g.m; row += kPanel) {
    const size_t count = g.m - row < kPanel ? g.m - row : kPanel;
    const float* segment = g.b;
    for (size_t n = 0, column = 0; n < g.n;) {
      TallColumns<kColumns> columns;
      columns.first = n;
      size_t used = 0;
      for (; used < kColumns && n < g.n; ++used, ++n) {
        columns.b[used] = segment + column;
        if (++column == g.segment) {
          column = 0;
          segment += g.segment_stride;
        }
      }
      choose_tall_columns<V, kVectors, kColumns>(g, row, count, used, columns);
    }
  }
}

}  // namespace quantize::simd
