// LayerNormalization in blocks that can be computed apart.
#pragma once

#include "core/ops/op.h"

namespace quantize {

/// How many blocks of x share a mean and a deviation. Errors: Error(kInvalidModel) for an axis outside of x.
int64_t layer_block_count(const Node& node, Dims x);

/// The reference of LayerNormalization, of the blocks [begin, end).
void normalize_layer_blocks(const EvaluateContext& context, int64_t begin, int64_t end);

}  // namespace quantize
