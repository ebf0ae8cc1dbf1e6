// The shapes of a MatMul, in floats or in codes.
#pragma once

#include "core/ops/op.h"

namespace quantize {

/// Both operands with at least two axes, and what they make.
struct MatMulOperands {
  Shape a, b;    // a one-dimensional a is a row, b a column
  Shape batch;   // broadcast of the axes before the last two
  Shape output;  // as ONNX has it: without the axes that were added
};

/// Errors: Error(kInvalidModel) for operands that do not fit.
MatMulOperands matmul_operands(Dims a, Dims b);

/// Which matrix of an operand belongs to the i-th matrix of the output.
int64_t matrix_index(const Shape& batch, const Shape& operand, int64_t i);

/// OpDef::weight_layout of the operator and its integer forms.
std::optional<WeightLayout> matmul_weight_layout(const Node& node, Dims shape);

}  // namespace quantize
