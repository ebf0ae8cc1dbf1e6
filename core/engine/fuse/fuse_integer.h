// Fusion of integer operators before steps are made of them. Each pass keeps the ids of values, leaves alone
// what an observer wants (`keep`, by id; may be empty), and computes the same codes. Read fuse_tables().
#pragma once

#include <vector>

#include "core/graph.h"

namespace quantize {

/// Replaces every chain of elementwise operators that leads from one 8-bit value to another by a LookupTable
/// of 256 codes. All other operands of the chain are constant scalars, or belong to the chain too (x *
/// sigmoid(x)). The codes are those that the operators' own reference code gives. Requires: shapes are
/// inferred.
void fuse_tables(Graph& graph, const std::vector<bool>& keep);

/// Lets a QLinearConv add a residual and look its result up before it stores it: QLinearConv, QLinearAdd,
/// LookupTable become a FusedConv.
void fuse_conv_epilogues(Graph& graph, const std::vector<bool>& keep);

}  // namespace quantize
