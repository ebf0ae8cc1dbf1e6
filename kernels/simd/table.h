// Look-ups of bytes with shuffles that know sixteen bytes each, for any vector of bytes B. Read look_up()
// first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/integer.h"

namespace quantize::simd {

/// A table as sixteen rows. But for the first of each half, a row holds what changes to the row before it.
template <typename B>
struct SplitTable {
  alignas(16) uint8_t rows[16][16];

  [[gnu::always_inline]] explicit SplitTable(const uint8_t* table) {
    for (size_t i = 0; i < 256; ++i)
      rows[i / 16][i % 16] = static_cast<uint8_t>(table[i] ^ (i / 16 % 8 == 0 ? 0 : table[i - 16]));
  }
};

/// A shuffle gives 0 where the highest bit of a code is set, else what the low four bits choose. A code below
/// 128 has 16 taken off after each row, so it gathers the changes up to its own row and turns negative behind
/// it. The codes above are negative from the start, until their highest bit is flipped for the other half.
template <typename B>
[[gnu::always_inline]] inline typename B::Reg look_up(const uint8_t (&rows)[16][16], typename B::Reg codes) {
  auto low = codes, high = B::exclusive(codes, B::set1(-128));
  auto low_result = B::set1(0), high_result = low_result;
  const auto step = B::set1(16);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    low_result = B::exclusive(low_result, B::shuffle(B::repeat(rows[i]), low));
    high_result = B::exclusive(high_result, B::shuffle(B::repeat(rows[i + 8]), high));
    low = B::subtract_saturating(low, step);
    high = B::subtract_saturating(high, step);
  }
  return B::exclusive(low_result, high_result);
}

/// The rest of a row, shorter than a vector, goes to half a vector, if there is one, or byte by byte.
template <typename B>
void table_row(const uint8_t (&rows)[16][16], const uint8_t* table, const uint8_t* x, size_t n, uint8_t* y) {
  size_t i = 0;
  for (; i + B::kBytes <= n; i += B::kBytes) B::store(y + i, look_up<B>(rows, B::load(x + i)));
  if (i == n) return;
  if constexpr (B::Half::kBytes < B::kBytes)
    table_row<typename B::Half>(rows, table, x + i, n - i, y + i);
  else
    for (; i < n; ++i) y[i] = table[x[i]];
}

template <typename B>
void table_u8(const TableU8& call) noexcept {
  const bool dense = call.x_stride == call.n && call.y_stride == call.n;
  const size_t rows = dense ? 1 : call.rows, n = dense ? call.rows * call.n : call.n;
  const SplitTable<B> split(call.table);
  for (size_t r = 0; r < rows; ++r)
    table_row<B>(split.rows, call.table, call.x + r * call.x_stride, n, call.y + r * call.y_stride);
}

}  // namespace quantize::simd
