// Quantization that no integer operator reads: in blocks, and to codes of other types than 8- and 16-bit integers.
#pragma once

#include "core/ops/op.h"

namespace quantize {

/// True for integers of 4 and 2 bits and floats of 8 and 4: codes that only QuantizeLinear and DequantizeLinear know.
bool is_narrow_code(DataType dtype);

/// True if a QuantizeLinear or DequantizeLinear has scales per block of elements along its axis.
bool has_blocks(const Node& node);

/// Checks scales [.., ceil(extent / block_size), ..] and zero points of blocks as far as the shapes are known.
/// Errors: Error(kInvalidModel).
void check_blocks(const InferContext& context);

/// The reference of QuantizeLinear and DequantizeLinear for every form: y = (x / scale rounded) + zero point, and
/// back. Floats take no zero point but 0.
void quantize_any(const EvaluateContext& context);
void dequantize_any(const EvaluateContext& context);

}  // namespace quantize
