// Indices of elements along an axis.
#pragma once

#include <cstdint>

namespace quantize {

/// Index i of an axis, counted from 0; a negative one counts from the end. Errors: Error(kInvalidModel) outside
/// [-extent, extent).
int64_t checked_index(int64_t i, int64_t extent);

}  // namespace quantize
