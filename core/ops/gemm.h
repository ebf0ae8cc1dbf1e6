// The common part of Gemm, QGemm and their fast forms.
#pragma once

#include "core/ops/op.h"
#include "core/ops/support/matrix_layout.h"

namespace quantize {

/// Where an operand of this row-major shape lies, read transposed or not.
MatrixLayout gemm_operand_layout(Dims shape, bool transposed);

/// The factors of a Gemm, and where its operands lie.
struct GemmShape {
  GemmShape(const Node& node, Dims a_shape, Dims b_shape);

  MatrixLayout a, b;
  float alpha, beta;
};

/// The element of C that is added to (i, j): C broadcasts from the right.
int64_t index_of_c(Dims shape, int64_t i, int64_t j);

/// True if C, of a static shape, is one row for all: an element per column.
bool is_row_of_c(Dims shape, int64_t columns);

/// Shape inference of both: the shape of the result of A, B and C at these inputs. Unknown extents fit all.
/// Errors: Error(kInvalidModel) for operands that are no matrices, that cannot be multiplied, or a C that does not
/// broadcast to the result.
Shape infer_gemm(const InferContext& context, size_t a, size_t b, size_t c);

/// infer and evaluate of Gemm, for operators that do more behind it.
void infer_plain_gemm(InferContext& context);
void evaluate_plain_gemm(const EvaluateContext& context);

/// OpDef::weight_layout of both.
std::optional<WeightLayout> gemm_weight_layout(const Node& node, Dims shape);

}  // namespace quantize
