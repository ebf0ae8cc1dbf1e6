// Merging of axes, the odometer, and copies along strides.
#include "core/ops/support/strided.h"

#include <algorithm>
#include <cstring>

#include "core/ops/support/element_types.h"

namespace quantize {

Shape strides_of(Dims shape) {
  element_count(shape);
  Shape strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    if (__builtin_mul_overflow(strides[i], shape[i], &strides[i - 1])) strides[i - 1] = 0;  // an empty tensor
  return strides;
}

Shape broadcast_strides(Dims shape, Dims result) {
  const Shape own = strides_of(shape);
  const size_t missing = result.size() - shape.size();
  Shape strides(result.size(), 0);
  for (size_t i = 0; i < shape.size(); ++i) strides[missing + i] = shape[i] == 1 ? 0 : own[i];
  return strides;
}

StridedLoop::StridedLoop(Dims shape, std::vector<Shape> strides) : strides_(strides.size()) {
  row_strides_.assign(strides.size(), 1);
  std::vector<size_t> axes;  // from the innermost; those of extent 1 do not matter
  for (size_t i = shape.size(); i-- > 0;)
    if (shape[i] != 1) axes.push_back(i);
  const bool empty = std::any_of(axes.begin(), axes.end(), [&](size_t axis) { return shape[axis] == 0; });
  if (empty) row_count_ = row_size_ = 0;
  if (empty || axes.empty()) return;

  // From the innermost axis outwards: an axis continues the one inside it if every operand steps on evenly.
  std::vector<Shape> reversed(strides.size());
  Shape extents;
  for (size_t axis : axes) {
    const bool continues = !extents.empty() && [&] {
      for (size_t k = 0; k < strides.size(); ++k)
        if (strides[k][axis] != reversed[k].back() * extents.back()) return false;
      return true;
    }();
    if (continues) {
      extents.back() *= shape[axis];
      continue;
    }
    extents.push_back(shape[axis]);
    for (size_t k = 0; k < strides.size(); ++k) reversed[k].push_back(strides[k][axis]);
  }
  row_size_ = extents[0];
  outer_.assign(extents.rbegin(), extents.rend() - 1);
  row_count_ = element_count(outer_);
  for (size_t k = 0; k < strides.size(); ++k) {
    row_strides_[k] = reversed[k][0];
    strides_[k].assign(reversed[k].rbegin(), reversed[k].rend() - 1);
  }
}

void StridedLoop::advance(Shape& index, std::vector<int64_t>& offsets) const {
  for (size_t i = outer_.size(); i-- > 0;) {
    const bool done = ++index[i] < outer_[i];
    const int64_t steps = done ? 1 : 1 - outer_[i];
    for (size_t k = 0; k < offsets.size(); ++k) offsets[k] += steps * strides_[k][i];
    if (done) return;
    index[i] = 0;
  }
}

void copy_strided(Dims shape, const void* from, const Shape& from_strides, void* to, const Shape& to_strides,
                  size_t width) {
  const StridedLoop loop(shape, {from_strides, to_strides});
  const int64_t n = loop.row_size(), from_step = loop.row_stride(0), to_step = loop.row_stride(1);
  visit_width(width, [&]<typename T>() {
    const T* source = static_cast<const T*>(from);
    T* target = static_cast<T*>(to);
    loop.for_each_row([&](const int64_t* offsets) {
      const T* x = source + offsets[0];
      T* y = target + offsets[1];
      if (from_step == 1 && to_step == 1)
        std::memcpy(y, x, static_cast<size_t>(n) * sizeof(T));
      else if (from_step == 0 && to_step == 1)
        std::fill_n(y, n, *x);
      else
        for (int64_t i = 0; i < n; ++i) y[i * to_step] = x[i * from_step];
    });
  });
}

void copy_strided(Dims shape, const void* from, const Shape& from_strides, void* to, size_t width) {
  copy_strided(shape, from, from_strides, to, strides_of(shape), width);
}

void gather_axes(const TensorView& x, const std::vector<std::vector<int64_t>>& tables,
                 const MutableTensorView& y) {
  const size_t width = size_of(x.dtype);
  const Shape strides = strides_of(x.shape);
  // Innermost axes that are taken as they are move as one block.
  size_t rank = tables.size();
  int64_t block = 1;
  const auto is_identity = [&](size_t axis) {
    for (size_t i = 0; i < tables[axis].size(); ++i)
      if (tables[axis][i] != static_cast<int64_t>(i)) return false;
    return static_cast<int64_t>(tables[axis].size()) == x.shape[axis];
  };
  while (rank > 0 && is_identity(rank - 1)) block *= x.shape[--rank];

  const Dims outer = y.shape.first(rank == 0 ? 0 : rank - 1);
  const std::vector<int64_t> single{0};
  const std::vector<int64_t>& row = rank == 0 ? single : tables[rank - 1];
  const int64_t row_stride = rank == 0 ? 0 : strides[rank - 1];
  const int64_t rows = element_count(outer);
  visit_width(width, [&]<typename T>() {
    const T* source = static_cast<const T*>(x.data);
    T* target = static_cast<T*>(y.data);
    Shape index(outer.size(), 0);
    for (int64_t r = 0; r < rows; ++r) {
      const T* base = source;
      for (size_t i = 0; i < index.size(); ++i) base += tables[i][static_cast<size_t>(index[i])] * strides[i];
      for (const int64_t i : row) {
        const T* from = base + i * row_stride;
        if (block == 1)
          *target = *from;
        else
          std::memcpy(target, from, static_cast<size_t>(block) * sizeof(T));
        target += block;
      }
      for (size_t i = index.size(); i-- > 0 && ++index[i] == outer[i];) index[i] = 0;
    }
  });
}

}  // namespace quantize
