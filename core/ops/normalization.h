// Normalizations in blocks that can be computed apart.
#pragma once

#include <span>

#include "core/ops/op.h"

namespace quantize {

/// One operator: (x - mean) / sqrt(variance + epsilon) over each block of contiguous elements, then scale and bias.
struct NormalizationBlocks {
  const char* op_type;
  /// How many blocks x has. Requires: x has elements. Errors: Error(kInvalidModel) for an axis outside of x.
  int64_t (*count)(const Node& node, Dims x);
  /// The reference, of the blocks [begin, end).
  void (*normalize)(const EvaluateContext& context, int64_t begin, int64_t end);
};

/// InstanceNormalization, GroupNormalization and LayerNormalization.
std::span<const NormalizationBlocks* const> all_normalization_blocks();

}  // namespace quantize
