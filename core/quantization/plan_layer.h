// Weights and bias of one integer layer of a plan.
#pragma once

#include "core/quantization/own_values.h"
#include "core/quantization/plan.h"

namespace quantize {

/// Sets PlannedNode::weights of a Conv, ConvTranspose, Gemm or MatMul. Returns why it must stay float, if its sums
/// could leave s32 (bound_of_sums).
/// Requires: the node is planned as integer, and its input is. Errors: those of choose_weight_params.
FloatReason plan_layer(const PlanInputs& inputs, NodeId layer, QuantizationPlan& plan);

}  // namespace quantize
