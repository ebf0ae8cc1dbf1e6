// Best classes, place by place.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace quantize {

/// How the class of a place is read from an output.
struct ClassReading {
  size_t axis = 1;       // of the classes' scores
  bool indices = false;  // the elements are numbers of classes already
  bool halves = false;   // one score a place: above a half or not
};

/// The best class at every place of a tensor: of the elements along the class axis the largest, the first of
/// several. Requires: no NaN.
std::vector<int64_t> classes_at(const ClassReading& reading, const Tensor& output);

/// How many places a tensor has.
double places_of(const ClassReading& reading, const Tensor& output);

}  // namespace quantize
