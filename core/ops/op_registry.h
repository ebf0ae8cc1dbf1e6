// The list of all operators, and computing one outside of a Program.
#pragma once

#include <span>

#include "core/ops/op.h"

namespace quantize {

/// Every operator. Defined in core/ops/all_ops.cpp: the one line to add.
std::span<const OpDef> all_ops();

/// Computes a node by its reference, OpDef::evaluate, on scalar kernels. Requires: what infer checked holds.
void evaluate_reference(const OpDef& def, const Node& node, int64_t opset, std::span<const TensorView> inputs,
                        std::span<const MutableTensorView> outputs);

}  // namespace quantize
