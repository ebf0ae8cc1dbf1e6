// The list of all operators: one line each. A file core/ops/<op>.cpp defines `void
// add_<op>(std::vector<OpDef>&)`, which appends its definition (or those of a family that shares one
// implementation).
#include <vector>

#include "core/ops/op_registry.h"

// clang-format off
#define QUANTIZE_ALL_OPS(X) \
  X(arg_max) \
  X(average_pool) \
  X(batch_normalization) \
  X(binary) \
  X(cast) \
  X(change_layout) \
  X(clip) \
  X(concat) \
  X(constant) \
  X(conv) \
  X(conv_transpose) \
  X(depth_to_space) \
  X(dropout) \
  X(expand) \
  X(fused_conv) \
  X(fused_function) \
  X(gather) \
  X(gemm) \
  X(global_pool) \
  X(lookup_table) \
  X(lrn) \
  X(matmul) \
  X(matmul_integer_to_float) \
  X(max_pool) \
  X(normalization) \
  X(pad) \
  X(pow) \
  X(qgemm) \
  X(qlinear_activation) \
  X(qlinear_concat) \
  X(qlinear_conv) \
  X(qlinear_matmul) \
  X(qlinear_pair) \
  X(qlinear_pool) \
  X(qlinear_softmax) \
  X(quantize_linear) \
  X(range) \
  X(reduce) \
  X(reshape) \
  X(resize) \
  X(shape) \
  X(sigmoid) \
  X(slice) \
  X(softmax) \
  X(split) \
  X(transpose) \
  X(unary) \
  X(variadic) \
  X(where)
// clang-format on

namespace quantize {

#define QUANTIZE_DECLARE(op) void add_##op(std::vector<OpDef>& ops);
QUANTIZE_ALL_OPS(QUANTIZE_DECLARE)
#undef QUANTIZE_DECLARE

std::span<const OpDef> all_ops() {
  static const std::vector<OpDef> ops = [] {
    std::vector<OpDef> list;
#define QUANTIZE_ADD(op) add_##op(list);
    QUANTIZE_ALL_OPS(QUANTIZE_ADD)
#undef QUANTIZE_ADD
    return list;
  }();
  return ops;
}

}  // namespace quantize
