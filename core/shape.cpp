// Shape arithmetic with every overflow checked: extents come from files.
#include "core/shape.h"

#include <algorithm>

#include "core/error.h"

namespace quantize {

bool is_static(Dims shape) {
  return std::none_of(shape.begin(), shape.end(), [](int64_t dim) { return dim < 0; });
}

int64_t element_count(Dims shape) {
  int64_t count = 1;
  for (int64_t dim : shape) {
    if (dim < 0 || __builtin_mul_overflow(count, dim, &count))
      throw Error(ErrorKind::kInvalidModel, "a tensor of shape " + to_string(shape) + " has no valid size");
  }
  return count;
}

void check_extents(Dims shape) {
  const bool is_empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  const int64_t most = int64_t{1} << (is_empty ? 31 : 48);
  int64_t product = 1;
  for (const int64_t dim : shape)
    if (dim < kUnknownDim || (dim > 0 && (__builtin_mul_overflow(product, dim, &product) || product > most)))
      throw Error(ErrorKind::kInvalidModel, "no tensor has the shape " + to_string(shape));
}

std::string to_string(Dims shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (int64_t dim : shape) {
    if (!text.empty()) text += 'x';
    text += dim == kUnknownDim ? "?" : std::to_string(dim);
  }
  return text;
}

Shape broadcast(Dims a, Dims b) {
  const size_t rank = std::max(a.size(), b.size());
  Shape result(rank);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t x = i + a.size() < rank ? 1 : a[i + a.size() - rank];
    const int64_t y = i + b.size() < rank ? 1 : b[i + b.size() - rank];
    if (x == y || y == 1) {
      result[i] = x;
    } else if (x == 1) {
      result[i] = y;
    } else if (x == kUnknownDim || y == kUnknownDim) {
      result[i] = std::max(x, y);
    } else {
      throw Error(ErrorKind::kInvalidModel,
                  "shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
    }
  }
  return result;
}

int64_t normalize_axis(int64_t axis, size_t rank) {
  const auto limit = static_cast<int64_t>(rank);
  if (axis < -limit || axis >= limit)
    throw Error(ErrorKind::kInvalidModel,
                "axis " + std::to_string(axis) + " is outside a tensor of rank " + std::to_string(rank));
  return axis < 0 ? axis + limit : axis;
}

}  // namespace quantize
