// gemm_tall_f32 for any vector type V: vectors over rows of C, one column of B at a time as a factor. Start at gemm_tall().
#pragma once

#include <cstddef>

#include "kernels/kernel_table.h"

namespace quantize::simd {

/// Some columns of C, up to kColumns: where each reads B. And the part of k that is to be summed now: what was summed
/// before it, and will be added behind it, is in `sums`.
template <int kColumns>
struct TallColumns {
  const float* b[kColumns];
  size_t first = 0;  // the first of them in C
  size_t k_begin = 0, k_end = 0;
  float* sums = nullptr;  // of the first column, a panel each
};

/// The end of a tile, behind its sums: biases, clamp, addend. Row by row of C, number by number.
template <typename V, int kColumns, int kUsed>
[[gnu::always_inline]] inline void finish_tall(const GemmF32& g, size_t row, size_t count, size_t first,
                                               const typename V::Reg (&sum)[kColumns][kUsed]) {
  using Reg = typename V::Reg;
  alignas(64) float tile[kColumns][V::kLanes * kUsed];
#pragma GCC unroll 8
  for (int v = 0; v < kUsed; ++v) {
    const auto left = static_cast<ptrdiff_t>(count) - static_cast<ptrdiff_t>(v * V::kLanes);
    const Reg row_bias =
        g.row_bias == nullptr ? V::set1(0) : V::load(g.row_bias + row + v * V::kLanes, V::lanes(0, left));
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      const Reg bias = g.column_bias == nullptr
                           ? row_bias
                           : V::add(row_bias, V::set1(g.column_bias[first + static_cast<size_t>(c)]));
      const Reg value = V::add(sum[c][v], bias);
      V::store(tile[c] + v * V::kLanes,
               g.addend != nullptr ? value : V::min(V::set1(g.high), V::max(V::set1(g.low), value)));
    }
  }
  const size_t at = row * g.ldc + first;
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

/// kUsed vectors of rows x kColumns of C, held in registers over a part of k. `count` rows of them exist.
template <typename V, int kVectors, int kColumns, int kUsed, int kMost>
[[gnu::noinline]] void tall_tile(const GemmF32& g, size_t row, size_t count,
                                 const TallColumns<kMost>& columns) {
  using Reg = typename V::Reg;
  constexpr size_t kPanel = V::kLanes * kVectors;
  Reg sum[kColumns][kUsed];
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c)
#pragma GCC unroll 8
    for (int v = 0; v < kUsed; ++v)
      sum[c][v] = columns.k_begin == 0 ? V::set1(0) : V::load(columns.sums + c * kPanel + v * V::kLanes);
  const float* b[kColumns];
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) b[c] = columns.b[c];
  const float* a = g.a + row * g.k + columns.k_begin * kPanel;
  for (size_t k = columns.k_begin; k < columns.k_end; ++k, a += kPanel) {
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
  if (columns.k_end < g.k) {
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c)
#pragma GCC unroll 8
      for (int v = 0; v < kUsed; ++v) V::store(columns.sums + c * kPanel + v * V::kLanes, sum[c][v]);
    return;
  }
  finish_tall<V, kColumns, kUsed>(g, row, count, columns.first, sum);
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

/// Where the columns of a product stand in B, one after the other.
struct TallCursor {
  size_t n = 0, column = 0;
  const float* segment;

  template <int kColumns>
  size_t next(const GemmF32& g, size_t end, TallColumns<kColumns>& columns) {
    columns.first = n;
    size_t used = 0;
    for (; used < kColumns && n < end; ++used, ++n) {
      columns.b[used] = segment + column;
      if (++column == g.segment) {
        column = 0;
        segment += g.segment_stride;
      }
    }
    return used;
  }
};

/// Panel by panel of A, which stays in a cache while columns of B pass: in the first-level one if kDepth products are
/// summed at a time, in the second-level one if all are (0).
template <typename V, int kVectors, int kColumns, size_t kDepth = 0>
void gemm_tall(const GemmF32& g) noexcept {
  constexpr size_t kPanel = V::kLanes * kVectors;
  constexpr size_t kBlock =
      kDepth == 0 ? kColumns : 10 * kColumns;  // columns whose sums wait for more products
  const size_t depth = kDepth == 0 || g.k < kDepth + kDepth / 2 ? g.k : kDepth;
  alignas(64) float sums[kDepth == 0 ? 1 : kBlock * kPanel];
  for (size_t row = 0; row < g.m; row += kPanel) {
    const size_t count = g.m - row < kPanel ? g.m - row : kPanel;
    for (TallCursor block{.segment = g.b}; block.n < g.n;) {
      TallCursor cursor = block;
      TallColumns<kColumns> columns;
      const size_t end = g.n - block.n < kBlock ? g.n : block.n + kBlock;
      do {
        columns.k_begin = columns.k_end;
        columns.k_end = g.k - columns.k_begin < depth + depth / 2 ? g.k : columns.k_begin + depth;
        columns.sums = sums;
        const float* ahead =  // the next part of A, fetched into the first-level cache
            g.a + row * g.k + columns.k_end * kPanel;
        for (cursor = block; cursor.n < end; columns.sums += kColumns * kPanel) {
          const size_t used = cursor.next(g, end, columns);
          if constexpr (kDepth > 0) {
            constexpr size_t kLine = 64 / sizeof(float), kLines = kDepth * kPanel / kLine / 8;
            for (size_t line = 0; line < kLines; ++line, ahead += kLine) __builtin_prefetch(ahead, 0, 3);
          }
          choose_tall_columns<V, kVectors, kColumns>(g, row, count, used, columns);
        }
      } while (columns.k_end < g.k);
      block = cursor;
    }
  }
}

}  // namespace quantize::simd
