// Products of matrices by gemm_f32, for Gemm and MatMul: who is packed when, and where.
#pragma once

#include "core/engine/steps/step.h"
#include "core/ops/support/matrix_layout.h"

namespace quantize {

/// C = clamp(factor * A * B + bias, low, high), C row-major. Made once per Program; run may be called by
/// several threads.
class MatrixProduct {
 public:
  /// Requires: a.columns == b.rows.
  MatrixProduct(const KernelTable& kernels, MatrixLayout a, MatrixLayout b);

  /// Packs `count` constant matrices B that lie behind each other, each times `factor`; run then takes the
  /// i-th.
  void pack_b(const float* b, int64_t count, float factor);

  /// Sets the scratch memory that run needs and, for a step that is this product alone, how it is split.
  void split(CompileContext& context);
  /// Bytes of scratch memory that run needs.
  size_t scratch_bytes() const { return (a_floats_ + b_floats_) * sizeof(float); }

  struct Operands {
    const float* a = nullptr;
    const float* b = nullptr;  // ignored after pack_b, which `b_index` counts in
    int64_t b_index = 0;
    float* c = nullptr;
    const float* column_bias = nullptr;  // or null
    float low = 0, high = 0;
  };
  /// All of the product.
  void run(const Operands& operands, std::span<std::byte> scratch) const;
  /// The first rows of it.
  void run_rows(const Operands& operands, int64_t rows, std::span<std::byte> scratch) const;
  /// The chunks that `context` names, after split().
  void run(const Operands& operands, const StepContext& context) const;

 private:
  /// A part of C.
  struct Block {
    int64_t first_row, last_row, first_column, last_column;
  };
  void run(const Operands& operands, const Block& block, std::span<std::byte> scratch) const;
  void pack_panels(const float* b, float factor, float* panels) const;

  const KernelTable& kernels_;
  MatrixLayout a_, b_;
  bool b_in_place_;  // B is read where it lies
  size_t a_floats_ = 0, b_floats_ = 0;
  std::vector<size_t> b_rows_;
  Tensor packed_b_;
  int64_t packed_count_ = 0;
  bool cut_rows_ = false;  // for threads: C is cut between rows, else between panels of columns
  size_t chunks_ = 1;
};

}  // namespace quantize
