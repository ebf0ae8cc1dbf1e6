// The weights of MatMulNBits (com.microsoft) in reals.
#pragma once

#include "core/ops/op.h"

namespace quantize {

/// Extents of the product [rows, k] x [k, n] and the packing of its weights.
struct NBitsPacking {
  int64_t k, n, bits, block, blocks;

  int64_t bytes_of_block() const { return block * bits / 8; }
  int64_t bytes_of_zero_points() const { return (blocks * bits + 7) / 8; }
};

/// Errors: Error(kInvalidModel) for attributes that do not say one.
NBitsPacking nbits_packing(const Node& node);

/// The weights of one column, k reals.
///
/// Shapes: packed u8 [n, blocks, bytes_of_block]; scales f32 [n, blocks]; zero_points u8 [n, bytes_of_zero_points],
/// f32 [n, blocks], or nothing: the middle of the codes.
void unpack_nbits_column(const NBitsPacking& packing, const TensorView& packed, const TensorView& scales,
                         const TensorView& zero_points, int64_t column, float* weights);

}  // namespace quantize
