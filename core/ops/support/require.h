// Checks that the operators with weights and windows make of their inputs.
#pragma once

#include <string>

#include "core/ops/op.h"

namespace quantize {

/// Errors: Error(kInvalidModel) with `message` unless `condition`.
void require(bool condition, const std::string& message);

/// Errors: Error(kUnsupported) if an input has a known type other than f32.
void require_f32(const InferContext& context);

/// True if both extents may be the same: equal, or one of them unknown.
bool compatible(int64_t a, int64_t b);

}  // namespace quantize
