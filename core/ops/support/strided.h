// Walking several tensors at once by strides: broadcasting, transposing, slicing, reducing.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace quantize {

/// Distance between neighbours along each axis of a row-major tensor, in elements.
Shape strides_of(Dims shape);

/// Strides of `shape` seen under the larger shape it broadcasts to: 0 where it repeats.
/// Requires: broadcast(shape, result) == result.
Shape broadcast_strides(Dims shape, Dims result);

/// An index space that several operands are walked along, each by its own strides (negative and 0 allowed).
/// Axes that all operands cross without a jump are merged, so that rows are as long as they can be.
class StridedLoop {
 public:
  StridedLoop(Dims shape, std::vector<Shape> strides);

  /// Elements of a row, and each operand's stride along it.
  int64_t row_size() const { return row_size_; }
  int64_t row_stride(size_t operand) const { return row_strides_[operand]; }

  /// Calls row(offsets) for every row in row-major order; offsets[i] is where operand i's row begins.
  template <typename Row>
  void for_each_row(Row&& row) const {
    if (row_count_ == 0 || row_size_ == 0) return;
    std::vector<int64_t> offsets(strides_.size(), 0);
    Shape index(outer_.size(), 0);
    for (int64_t r = 0;;) {
      row(static_cast<const int64_t*>(offsets.data()));
      if (++r == row_count_) return;
      advance(index, offsets);
    }
  }

 private:
  void advance(Shape& index, std::vector<int64_t>& offsets) const;

  Shape outer_;                 // extents of the axes around a row
  std::vector<Shape> strides_;  // per operand, of those axes
  Shape row_strides_;
  int64_t row_size_ = 1, row_count_ = 1;
};

/// Copies the elements of an index space from one tensor to another. The pointers stand at the first element;
/// strides are in elements of `width` bytes. Requires: every element visited is inside its tensor; no
/// overlap.
void copy_strided(Dims shape, const void* from, const Shape& from_strides, void* to, const Shape& to_strides,
                  size_t width);

/// The same into a whole row-major tensor.
void copy_strided(Dims shape, const void* from, const Shape& from_strides, void* to, size_t width);

/// y[i0, i1, ...] = x[tables[0][i0], tables[1][i1], ...] for elements of any type: a table of source indices
/// per axis. Requires: every index is inside x; y's extents are the sizes of the tables.
void gather_axes(const TensorView& x, const std::vector<std::vector<int64_t>>& tables,
                 const MutableTensorView& y);

}  // namespace quantize
