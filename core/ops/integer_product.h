// Products of u8 rows with a constant matrix of codes: the fast form of QLinearMatMul and QGemm.
#pragma once

#include "core/op.h"

namespace quantize {

/// Where the operands stand among the node's inputs, and how B lies: rows x columns, stored transposed or
/// not.
struct IntegerProduct {
  size_t a, b;
  size_t c = kAnyNumber;  // s32 bias, one per column; kAnyNumber: none
  size_t y_scale;         // left out: the result is real
  int64_t rows, columns;
  bool transposed = false;
};

/// The step; nullptr where only the reference code will do: A is not u8, B has a zero point, or a scale or
/// bias is computed.
StepFunction compile_integer_product(CompileContext& context, const IntegerProduct& product);

}  // namespace quantize
