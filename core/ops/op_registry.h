// The list of all operators, and computing one outside of a Program.
#pragma once

#include <span>

#include "core/ops/op.h"

namespace quantize {

/// Every operator. Defined in core/ops/all_ops.cpp: the one line to add.
std::span<const OpDef> all_ops();

/// How many outputs ONNX wants a node to have, read or not: 1 for most.
size_t required_outputs(const Node& node);

/// Computes a node by its reference, OpDef::evaluate, on scalar kernels. Requires: what infer checked holds.
void evaluate_reference(const OpDef& def, const Node& node, int64_t opset, std::span<const TensorView> inputs,
                        std::span<const MutableTensorView> outputs);

}  // namespace quantize
