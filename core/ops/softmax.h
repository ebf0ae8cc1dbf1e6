// The axis that Softmax works along, in floats or in codes.
#pragma once

#include "core/ops/op.h"

namespace quantize {

/// x seen as [outer][length][inner]; the operator works along `length`.
struct SoftmaxExtents {
  int64_t outer, length, inner;
};

/// Before opset 13 the input is flattened to a matrix. Errors: Error(kInvalidModel) for an axis outside of x.
SoftmaxExtents softmax_extents(const Node& node, int64_t opset, Dims x);

/// The parts that a softmax can be cut into: vectors, or blocks of vectors side by side.
int64_t softmax_units(const SoftmaxExtents& extents);

/// The reference of Softmax and, with `log`, LogSoftmax, of the parts [begin, end).
void softmax_part(const EvaluateContext& context, const SoftmaxExtents& extents, int64_t begin, int64_t end,
                  bool log);

}  // namespace quantize
