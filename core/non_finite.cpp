#include "core/non_finite.h"

#include <algorithm>
#include <cmath>

namespace quantize {

bool has_non_finite(const Tensor& tensor) {
  if (tensor.dtype() == DataType::kF32)
    return !std::all_of(tensor.data<float>(), tensor.data<float>() + tensor.size(),
                        [](float x) { return std::isfinite(x); });
  if (tensor.dtype() != DataType::kF64) return false;
  return !std::all_of(tensor.data<double>(), tensor.data<double>() + tensor.size(),
                      [](double x) { return std::isfinite(x); });
}

}  // namespace quantize
