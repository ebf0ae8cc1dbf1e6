// The axis that Softmax works along, in floats or in codes.
#pragma once

#include "core/graph.h"

namespace quantize {

/// x seen as [outer][length][inner]; the operator works along `length`.
struct SoftmaxExtents {
  int64_t outer, length, inner;
};

/// Before opset 13 the input is flattened to a matrix. Errors: Error(kInvalidModel) for an axis outside of x.
SoftmaxExtents softmax_extents(const Node& node, int64_t opset, Dims x);

}  // namespace quantize
