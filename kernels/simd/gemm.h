// gemm_f32 for any vector type V (kernels/<isa>/vector.h). Start at gemm(): the tiles are registers' work.
// V has internal linkage, so that everything made from it has, too: see the README.
#pragma once

#include <cstddef>

#include "kernels/kernel_table.h"

namespace quantize::simd {

/// Vectors of columns, up to kVectors: where each reads B, what it writes of C, how much of it counts. And the part of k
/// that is to be summed now: what was summed before it, and will be added behind it, is in `sums`.
template <typename V, int kVectors>
struct Columns {
  const float* b[kVectors];
  size_t c[kVectors];
  ptrdiff_t width[kVectors];
  typename V::Mask mask[kVectors];
  int count = 0;
  bool partial = false;
  size_t k_begin = 0, k_end = 0;
  float* sums = nullptr;  // of a panel of rows
};

/// The end of a tile, behind its sums: biases, addend, clamp. If kPlain, at most a bias per row and the clamp.
template <typename V, int kVectors, int kRows, int kUsed, bool kPartial, bool kPlain>
[[gnu::always_inline]] inline void finish_tile(const GemmF32& g, size_t row,
                                               const Columns<V, kVectors>& columns,
                                               const typename V::Reg (&sum)[kRows][kUsed]) {
  using Reg = typename V::Reg;
  const Reg low = V::set1(g.low), high = V::set1(g.high);
  float* c = g.c + row * g.ldc;
  const float* addend = g.addend + (kPlain || g.addend == nullptr ? 0 : row * g.ldc);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r, c += g.ldc) {
    const Reg row_bias =
        g.row_bias == nullptr ? V::set1(0) : V::set1(g.row_bias[row + static_cast<size_t>(r)]);
#pragma GCC unroll 8
    for (int v = 0; v < kUsed; ++v) {
      const size_t at = columns.c[v];
      Reg bias = row_bias;
      if (!kPlain && g.column_bias != nullptr)
        bias = V::add(bias, V::load(g.column_bias + at, columns.mask[v]));
      Reg value = V::add(sum[r][v], bias);
      if (!kPlain && g.addend != nullptr)
        value = V::add(value, kPartial ? V::load(addend + at, columns.mask[v]) : V::load(addend + at));
      const Reg result = V::min(high, V::max(low, value));
      kPartial ? V::store_first(c + at, columns.width[v], result) : V::store(c + at, result);
    }
    if (!kPlain && g.addend != nullptr) addend += g.ldc;
  }
}

/// Rows x Vectors of C, held in registers over a part of k.
template <typename V, int kMr, int kVectors, int kRows, int kUsed, bool kPartial>
[[gnu::noinline]] void gemm_tile(const GemmF32& g, size_t row, const Columns<V, kVectors>& columns) {
  using Reg = typename V::Reg;
  Reg sum[kRows][kUsed];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kUsed; ++v)
      sum[r][v] = columns.k_begin == 0 ? V::set1(0) : V::load(columns.sums + (r * kUsed + v) * V::kLanes);
  const float* a = g.a + row * g.k + columns.k_begin * kMr;
  for (size_t k = columns.k_begin; k < columns.k_end; ++k, a += kMr) {
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
  if (columns.k_end < g.k) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kUsed; ++v) V::store(columns.sums + (r * kUsed + v) * V::kLanes, sum[r][v]);
    return;
  }
  if (g.column_bias == nullptr && g.addend == nullptr)
    finish_tile<V, kVectors, kRows, kUsed, kPartial, true>(g, row, columns, sum);
  else
    finish_tile<V, kVectors, kRows, kUsed, kPartial, false>(g, row, columns, sum);
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

/// As many tiles of columns as keep their part of B in a cache, half of a small second-level one; over them all rows.
template <typename V, int kMr, int kVectors, size_t kCacheFloats = 64 * 1024>
void gemm(const GemmF32& g) noexcept {
  if (g.m == 0) return;
  constexpr size_t kMostTiles = 16;
  const size_t tile_floats = g.k * V::kLanes * kVectors;
  const size_t fitting = tile_floats == 0 ? 1 : 1 + kCacheFloats / tile_floats;
  Columns<V, kVectors> tiles[kMostTiles];
  for (Cursor<V, kVectors> cursor; !cursor.at_end(g);) {
    size_t count = 0;
    for (; count < fitting && count < kMostTiles && !cursor.at_end(g); ++count) {
      cursor.next(g, tiles[count]);
      tiles[count].k_end = g.k;
    }
    for (size_t row = 0; row < g.m; row += kMr)
      for (size_t tile = 0; tile < count; ++tile) choose_rows<V, kMr, kVectors>(g, row, tiles[tile]);
  }
}

/// The same for registers that hold less, so that loads from the second-level cache would take longer than the products:
/// a part of B, of kDepth rows and one tile of columns, stays in the first-level cache while rows of A pass. A B packed
/// in panels comes from the second level without waiting.
template <typename V, int kMr, int kVectors, size_t kDepth>
void gemm_by_depth(const GemmF32& g) noexcept {
  constexpr size_t kCacheFloats = 4096;
  const bool in_panels = g.k > 1 && g.b_rows[1] - g.b_rows[0] == kVectors * V::kLanes;
  if (in_panels) return gemm<V, kMr, kVectors>(g);
  if (g.k < kDepth) return gemm<V, kMr, kVectors, kCacheFloats>(g);
  constexpr size_t kPanelSums = kMr * kVectors * V::kLanes, kBlock = 16 * kMr;  // rows whose sums wait
  alignas(64) float sums[kBlock / kMr * kPanelSums];
  Columns<V, kVectors> columns;
  for (Cursor<V, kVectors> cursor; !cursor.at_end(g);) {
    cursor.next(g, columns);
    for (size_t block = 0; block < g.m; block += kBlock) {
      const size_t end = g.m - block < kBlock ? g.m : block + kBlock;
      columns.k_end = 0;
      do {
        columns.k_begin = columns.k_end;
        columns.k_end = g.k - columns.k_begin < kDepth + kDepth / 2 ? g.k : columns.k_begin + kDepth;
        columns.sums = sums;
        for (size_t row = block; row < end; row += kMr, columns.sums += kPanelSums)
          choose_rows<V, kMr, kVectors>(g, row, columns);
      } while (columns.k_end < g.k);
    }
  }
}

}  // namespace quantize::simd
