// The list of all operators.
#pragma once

#include <span>

#include "core/ops/op.h"

namespace quantize {

/// Every operator. Defined in core/ops/all_ops.cpp: the one line to add.
std::span<const OpDef> all_ops();

}  // namespace quantize
