// gemm_f32 for any vector type V (kernels/<isa>/vector.h). Start at gemm(): the tiles are registers' work.
// V has internal linkage, so that everything made from it has, too: see the README.
#pragma once

#include <cstddef>

#include "kernels/kernel_table.h"

namespace quantize::simd {

/// Vectors of columns, up to kVectors: where each reads B, what it writes of C, how much of it counts.
template <typename V, int kVectors>
struct Columns {
  const float* b[kVectors];
  size_t c[kVectors];
  ptrdiff_t width[kVectors];
  typename V::Mask mask[kVectors];
  int count = 0;
  bool partial = false;
};

/// Rows x Vectors of C, held in registers over the whole of k.
template <typename V, int kMr, int kVectors, int kRows, int kUsed, bool kPartial>
[[gnu::noinline]] void gemm_tile(const GemmF32& g, size_t row, const Columns<V, kVectors>& columns) {
  using Reg = typename V::Reg;
  Reg sum[kRows][kUsed];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kUsed; ++v) sum[r][v] = V::set1(0);
  const float* a = g.a + row * g.k;
  for (size_t k = 0; k < g.k; ++k, a += kMr) {
    Reg b[kUsed];
#pragma GCC unroll 8
    for (int v = 0; v < kUsed; ++v) {
      const float* p = columns.b[v] + g.b_rows[k];
      b[v] = kPartial ? V::load(p, columns.mask[v]) : V::load(p);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Reg factor = V::set1(a[r]);
#pragma GCC unroll 8
      for (int v = 0; v < kUsed; ++v) sum[r][v] = V::fma(factor, b[v], sum[r][v]);
    }
  }
  const Reg low = V::set1(g.low), high = V::set1(g.high);
#pragma GCC unroll 8
  for (int v = 0; v < kUsed; ++v) {
    Reg column_bias = V::set1(0);
    if (g.column_bias != nullptr) column_bias = V::load(g.column_bias + columns.c[v], columns.mask[v]);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const size_t i = row + static_cast<size_t>(r);
      const Reg bias = g.row_bias != nullptr ? V::add(V::set1(g.row_bias[i]), column_bias) : column_bias;
      const size_t at = i * g.ldc + columns.c[v];
      Reg value = V::add(sum[r][v], bias);
      if (g.addend != nullptr)
        value = V::add(value, kPartial ? V::load(g.addend + at, columns.mask[v]) : V::load(g.addend + at));
      const Reg result = V::min(high, V::max(low, value));
      float* c = g.c + at;
      kPartial ? V::store_first(c, columns.width[v], result) : V::store(c, result);
    }
  }
}

template <typename V, int kMr, int kVectors, int kRows, int kUsed>
void choose_partial(const GemmF32& g, size_t row, const Columns<V, kVectors>& columns) {
  if (columns.partial) return gemm_tile<V, kMr, kVectors, kRows, kUsed, true>(g, row, columns);
  gemm_tile<V, kMr, kVectors, kRows, kUsed, false>(g, row, columns);
}

template <typename V, int kMr, int kVectors, int kRows, int kUsed = kVectors>
void choose_vectors(const GemmF32& g, size_t row, const Columns<V, kVectors>& columns) {
  if constexpr (kUsed > 1)
    if (columns.count < kUsed) return choose_vectors<V, kMr, kVectors, kRows, kUsed - 1>(g, row, columns);
  choose_partial<V, kMr, kVectors, kRows, kUsed>(g, row, columns);
}

template <typename V, int kMr, int kVectors, int kRows = kMr>
void choose_rows(const GemmF32& g, size_t row, const Columns<V, kVectors>& columns) {
  if constexpr (kRows > 1)
    if (g.m - row < kRows) return choose_rows<V, kMr, kVectors, kRows - 1>(g, row, columns);
  choose_vectors<V, kMr, kVectors, kRows>(g, row, columns);
}

/// Walks over the columns, segment by segment, a vector at a time.
template <typename V, int kVectors>
struct Cursor {
  size_t segment = 0, column = 0;

  bool at_end(const GemmF32& g) const { return segment * g.segment >= g.n; }
  void next(const GemmF32& g, Columns<V, kVectors>& columns) {
    columns.partial = false;
    for (columns.count = 0; columns.count < kVectors && !at_end(g); ++columns.count) {
      const size_t left = g.n - segment * g.segment;
      const size_t width = (left < g.segment ? left : g.segment) - column;
      columns.b[columns.count] = g.b + segment * g.segment_stride + column;
      columns.c[columns.count] = segment * g.segment + column;
      columns.width[columns.count] = static_cast<ptrdiff_t>(width);
      columns.mask[columns.count] = V::lanes(0, static_cast<ptrdiff_t>(width));
      columns.partial = columns.partial || width < V::kLanes;
      column += V::kLanes;
      if (width <= V::kLanes) {
        ++segment;
        column = 0;
      }
    }
  }
};

/// As many tiles of columns as keep their part of B in half of a small second-level cache; over them all
/// rows.
template <typename V, int kMr, int kVectors>
void gemm(const GemmF32& g) noexcept {
  if (g.m == 0) return;
  constexpr size_t kCacheFloats = 64 * 1024;
  const size_t tile_floats = g.k * V::kLanes * kVectors;
  const size_t tiles = tile_floats == 0 ? 1 : 1 + kCacheFloats / tile_floats;
  for (Cursor<V, kVectors> start; !start.at_end(g);) {
    Cursor<V, kVectors> cursor = start;
    for (size_t row = 0; row < g.m; row += kMr) {
      cursor = start;
      Columns<V, kVectors> columns;
      for (size_t tile = 0; tile < tiles && !cursor.at_end(g); ++tile) {
        cursor.next(g, columns);
        choose_rows<V, kMr, kVectors>(g, row, columns);
      }
    }
    start = cursor;
  }
}

}  // namespace quantize::simd
