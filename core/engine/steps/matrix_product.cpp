// Packing of both operands around gemm_f32.
#include "core/engine/steps/matrix_product.h"

#include <algorithm>

namespace quantize {

namespace {

/// Floats of B in panels, the last one filled up.
size_t panel_floats(const KernelTable& kernels, const MatrixLayout& b) {
  const auto nr = static_cast<int64_t>(kernels.gemm_nr);
  return static_cast<size_t>(element_count(Shape{b.rows, (b.columns + nr - 1) / nr, nr}));
}

}  // namespace

MatrixProduct::MatrixProduct(const KernelTable& kernels, MatrixLayout a, MatrixLayout b)
    : kernels_(kernels), a_(a), b_(b), b_in_place_(b.column_stride == 1) {
  a_floats_ = packed_gemm_a_bytes(kernels, static_cast<size_t>(a.rows), static_cast<size_t>(a.columns)) /
              sizeof(float);
  a_floats_ = (a_floats_ + 15) / 16 * 16;  // what follows in the scratch memory is aligned as well
  if (!b_in_place_) b_floats_ = panel_floats(kernels, b);
  const size_t pitch = b_in_place_ ? static_cast<size_t>(b.row_stride) : kernels.gemm_nr;
  for (int64_t k = 0; k < b.rows; ++k) b_rows_.push_back(static_cast<size_t>(k) * pitch);
}

void MatrixProduct::pack_b(const float* b, int64_t count, float factor) {
  const size_t floats = panel_floats(kernels_, b_);
  packed_b_ = Tensor(DataType::kF32, {count, static_cast<int64_t>(floats)});
  packed_count_ = count;
  for (int64_t i = 0; i < count; ++i)
    pack_panels(b + i * b_.rows * b_.columns, factor,
                packed_b_.mutable_data<float>() + static_cast<size_t>(i) * floats);
  b_in_place_ = false;
  b_floats_ = 0;
  for (size_t k = 0; k < b_rows_.size(); ++k) b_rows_[k] = k * kernels_.gemm_nr;
}

void MatrixProduct::pack_panels(const float* b, float factor, float* panels) const {
  const auto nr = static_cast<int64_t>(kernels_.gemm_nr);
  for (int64_t first = 0; first < b_.columns; first += nr) {
    const int64_t used = std::min(nr, b_.columns - first);
    for (int64_t k = 0; k < b_.rows; ++k, panels += nr) {
      const float* row = b + k * b_.row_stride + first * b_.column_stride;
      for (int64_t j = 0; j < used; ++j) panels[j] = factor * row[j * b_.column_stride];
    }
  }
}

void MatrixProduct::split(CompileContext& context) {
  context.scratch_bytes = scratch_bytes();
  const auto tiles = [](int64_t extent, size_t tile) {
    return (extent + static_cast<int64_t>(tile) - 1) / static_cast<int64_t>(tile);
  };
  const int64_t rows = tiles(a_.rows, kernels_.gemm_mr), columns = tiles(b_.columns, kernels_.gemm_nr);
  if (packed_count_ == 0 && !b_in_place_) return;  // every chunk would pack all of B
  cut_rows_ = rows >= columns;
  const double macs =
      static_cast<double>(a_.rows) * static_cast<double>(a_.columns) * static_cast<double>(b_.columns);
  chunks_ = context.chunks = context.cut(kCoarseChunks, macs / 20, std::max(rows, columns));
}

void MatrixProduct::run(const Operands& operands, std::span<std::byte> scratch) const {
  run_rows(operands, a_.rows, scratch);
}

void MatrixProduct::run_rows(const Operands& operands, int64_t rows, std::span<std::byte> scratch) const {
  run(operands, Block{0, rows, 0, b_.columns}, scratch);
}

void MatrixProduct::run(const Operands& operands, const StepContext& context) const {
  const auto cut = [&](int64_t extent, size_t tile) {
    const auto size = static_cast<int64_t>(tile);
    const UnitRange range = units_of(context, (extent + size - 1) / size, chunks_);
    return UnitRange{range.begin * size, std::min(range.end * size, extent)};
  };
  Block block{0, a_.rows, 0, b_.columns};
  if (cut_rows_) {
    const auto [begin, end] = cut(a_.rows, kernels_.gemm_mr);
    block.first_row = begin;
    block.last_row = end;
  } else {
    const auto [begin, end] = cut(b_.columns, kernels_.gemm_nr);
    block.first_column = begin;
    block.last_column = end;
  }
  run(operands, block, context.scratch);
}

void MatrixProduct::run(const Operands& operands, const Block& block, std::span<std::byte> scratch) const {
  GemmF32 gemm;
  gemm.m = static_cast<size_t>(block.last_row - block.first_row);
  gemm.n = static_cast<size_t>(block.last_column - block.first_column);
  gemm.k = static_cast<size_t>(a_.columns);
  auto* a = reinterpret_cast<float*>(scratch.data());
  pack_gemm_a_f32(kernels_,
                  {operands.a + block.first_row * a_.row_stride, gemm.m, gemm.k,
                   static_cast<size_t>(a_.row_stride), static_cast<size_t>(a_.column_stride)},
                  a);
  gemm.a = a;
  gemm.b_rows = b_rows_.data();
  gemm.segment = b_in_place_ ? gemm.n : kernels_.gemm_nr;
  gemm.segment_stride = gemm.k * gemm.segment;
  if (packed_count_ > 0) {
    gemm.b = packed_b_.data<float>() + operands.b_index * (packed_b_.size() / packed_count_) +
             block.first_column * a_.columns;
  } else if (b_in_place_) {
    gemm.b = operands.b + block.first_column;
  } else {
    pack_panels(operands.b, 1.0f, a + a_floats_);
    gemm.b = a + a_floats_;
  }
  gemm.c = operands.c + block.first_row * b_.columns + block.first_column;
  gemm.ldc = static_cast<size_t>(b_.columns);
  gemm.column_bias = operands.column_bias == nullptr ? nullptr : operands.column_bias + block.first_column;
  gemm.low = operands.low;
  gemm.high = operands.high;
  kernels_.gemm_f32(gemm);
}

}  // namespace quantize
