// The equation of an Einsum.
#pragma once

#include <vector>

#include "core/ops/op.h"

namespace quantize {

/// The labels of each operand and of the result, one per axis: a letter, or one axis of an ellipsis, counted from the
/// right.
struct EinsumEquation {
  std::vector<std::vector<int>> operands;
  std::vector<int> result;
};

/// Errors: Error(kInvalidModel) for an equation that does not fit operands of these ranks.
EinsumEquation read_equation(const Node& node, const std::vector<size_t>& ranks);

}  // namespace quantize
