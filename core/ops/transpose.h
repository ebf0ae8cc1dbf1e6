// The permutation that a Transpose stands for.
#pragma once

#include <vector>

#include "core/graph.h"

namespace quantize {

/// perm: axis i of the output is axis perm[i] of the input. Errors: Error(kInvalidModel) if it is no permutation of
/// `rank` axes.
std::vector<size_t> transpose_permutation(const Node& node, size_t rank);

}  // namespace quantize
