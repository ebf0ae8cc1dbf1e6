#include "calibration/tasks/class_map.h"

#include <cmath>

namespace quantize {

std::vector<int64_t> classes_at(const ClassReading& reading, const Tensor& output) {
  const std::vector<double> values = output.to_vector<double>();
  std::vector<int64_t> classes;
  if (reading.indices || reading.halves) {
    constexpr double kHalf = 0.5;
    for (const double value : values)
      classes.push_back(reading.indices ? std::llround(value) : static_cast<int64_t>(value > kHalf));
    return classes;
  }
  const Shape& shape = output.shape();
  const auto count = static_cast<size_t>(shape[reading.axis]);
  size_t inner = 1;
  for (size_t i = reading.axis + 1; i < shape.size(); ++i) inner *= static_cast<size_t>(shape[i]);
  for (size_t begin = 0; begin + count * inner <= values.size(); begin += count * inner) {
    for (size_t place = begin; place < begin + inner; ++place) {
      size_t best = 0;
      for (size_t c = 1; c < count; ++c)
        if (values[place + c * inner] > values[place + best * inner]) best = c;
      classes.push_back(static_cast<int64_t>(best));
    }
  }
  return classes;
}

double places_of(const ClassReading& reading, const Tensor& output) {
  const bool one_each = reading.indices || reading.halves;
  return static_cast<double>(output.size() / (one_each ? 1 : output.shape()[reading.axis]));
}

}  // namespace quantize
