// Matrices in memory.
#pragma once

#include <cstdint>

namespace quantize {

/// Where a matrix lies in memory: element (i, j) at i * row_stride + j * column_stride.
struct MatrixLayout {
  int64_t rows = 0, columns = 0, row_stride = 0, column_stride = 0;

  static MatrixLayout row_major(int64_t rows, int64_t columns) { return {rows, columns, columns, 1}; }
  MatrixLayout transposed() const { return {columns, rows, column_stride, row_stride}; }
};

}  // namespace quantize
