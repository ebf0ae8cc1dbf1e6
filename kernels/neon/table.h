// Look-ups of bytes: the whole table lies in sixteen registers.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/integer.h"

namespace quantize {

namespace {

struct WholeTable {
  uint8x16x4_t quarters[4];

  [[gnu::always_inline]] explicit WholeTable(const uint8_t* table) {
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 4; ++j) quarters[i].val[j] = vld1q_u8(table + 64 * i + 16 * j);
  }
  /// An index beyond a quarter leaves what is there; below it, it wraps and is beyond, too.
  [[gnu::always_inline]] uint8x16_t operator[](uint8x16_t codes) const {
    const uint8x16_t step = vdupq_n_u8(64);
    uint8x16_t found = vqtbl4q_u8(quarters[0], codes);
#pragma GCC unroll 3
    for (int i = 1; i < 4; ++i) {
      codes = vsubq_u8(codes, step);
      found = vqtbx4q_u8(found, quarters[i], codes);
    }
    return found;
  }
};

inline void look_up(const TableU8& call) noexcept {
  const bool dense = call.x_stride == call.n && call.y_stride == call.n;
  const size_t rows = dense ? 1 : call.rows, n = dense ? call.rows * call.n : call.n;
  const WholeTable table(call.table);
  for (size_t r = 0; r < rows; ++r) {
    const uint8_t* x = call.x + r * call.x_stride;
    uint8_t* y = call.y + r * call.y_stride;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) vst1q_u8(y + i, table[vld1q_u8(x + i)]);
    for (; i < n; ++i) y[i] = call.table[x[i]];
  }
}

}  // namespace

}  // namespace quantize
