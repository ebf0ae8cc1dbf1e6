// The common part of Gemm and QGemm.
#pragma once

#include "core/ops/op.h"

namespace quantize {

/// OpDef::weight_layout of both.
std::optional<WeightLayout> gemm_weight_layout(const Node& node, Dims shape);

}  // namespace quantize
