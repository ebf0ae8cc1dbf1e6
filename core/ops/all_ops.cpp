// The list of all operators: one line each. A file core/ops/<op>.cpp defines `void
// add_<op>(std::vector<OpDef>&)`, which appends its definition (or those of a family that shares one
// implementation).
#include <vector>

#include "core/ops/op_registry.h"

// clang-format off
#define QUANTIZE_ALL_OPS(X) \
  X(arg_max) \
  X(attention) \
  X(average_pool) \
  X(batch_normalization) \
  X(binary) \
  X(bitwise) \
  X(cast) \
  X(center_crop_pad) \
  X(change_layout) \
  X(clip) \
  X(col2im) \
  X(concat) \
  X(constant) \
  X(control_flow) \
  X(conv) \
  X(conv_transpose) \
  X(cumulative) \
  X(deform_conv) \
  X(depth_to_space) \
  X(det) \
  X(dft) \
  X(dropout) \
  X(dynamic_quantize_matmul) \
  X(einsum) \
  X(expand) \
  X(fused_conv) \
  X(fused_function) \
  X(gather) \
  X(gather_block_quantized) \
  X(gemm) \
  X(global_pool) \
  X(grid_sample) \
  X(integer_product) \
  X(linear_attention) \
  X(lookup_table) \
  X(loss) \
  X(lp_pool) \
  X(lrn) \
  X(matmul) \
  X(matmul_integer_to_float) \
  X(matmul_nbits) \
  X(max_pool) \
  X(max_unpool) \
  X(microsoft) \
  X(microsoft_attention) \
  X(non_max_suppression) \
  X(normalization) \
  X(one_hot) \
  X(pad) \
  X(plain_normalization) \
  X(pow) \
  X(qgemm) \
  X(qlinear_activation) \
  X(qlinear_concat) \
  X(qlinear_conv) \
  X(qlinear_matmul) \
  X(qlinear_pair) \
  X(qlinear_pool) \
  X(qlinear_softmax) \
  X(qlinear_where) \
  X(quantize_linear) \
  X(range) \
  X(recurrent) \
  X(reduce) \
  X(reshape) \
  X(resize) \
  X(roi_align) \
  X(rotary_embedding) \
  X(scatter) \
  X(select) \
  X(shape) \
  X(sigmoid) \
  X(signal_window) \
  X(slice) \
  X(softmax) \
  X(split) \
  X(top_k) \
  X(transpose) \
  X(trilu) \
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
