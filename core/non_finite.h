// NaN and infinity in tensors.
#pragma once

#include "core/tensor.h"

namespace quantize {

/// True if an element is NaN or infinite.
bool has_non_finite(const Tensor& tensor);

}  // namespace quantize
