// Operators whose reference can do a part of its work alone: the engine gives the parts to threads.
#pragma once

#include "core/ops/op.h"

namespace quantize {

/// An operator in parts: units [begin, end) of its work write the same bytes wherever the work is cut.
struct OpParts {
  const char* op_type;
  const char* domain;
  /// The number of units. `node` has these shapes, all static; those of inputs that are left out are empty.
  int64_t (*units)(const Node& node, std::span<const Shape> inputs, Dims output);
  void (*run)(const EvaluateContext& context, int64_t begin, int64_t end);
  double nanoseconds = 1;  // an estimate for each element of the output
};

extern const OpParts kGridSampleParts, kRoiAlignParts;

}  // namespace quantize
