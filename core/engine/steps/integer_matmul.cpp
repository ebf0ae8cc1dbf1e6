// The fast forms of QGemm, QLinearMatMul and MatMulIntegerToFloat.
#include "core/engine/steps/computed_product.h"
#include "core/engine/steps/integer_product.h"
#include "core/ops/gemm.h"

namespace quantize {

namespace {

StepFunction compile_qgemm(CompileContext& context) {
  enum : size_t { kA = 0, kB = 3, kC = 6, kYScale = 7 };
  const Tensor* b = context.constant(kB);
  if (b == nullptr || context.node.int_attribute("transA", 0) != 0 ||
      context.node.float_attribute("alpha", 1) != 1)
    return nullptr;
  const bool transposed = context.node.int_attribute("transB", 0) != 0;
  const MatrixLayout layout = gemm_operand_layout(b->shape(), transposed);
  const Tensor* c = context.constant(kC);
  if (c != nullptr && !is_row_of_c(c->shape(), layout.columns)) return nullptr;
  return compile_integer_product(context, {.a = kA,
                                           .constants = {.x_scale = kA + 1,
                                                         .x_zero_point = kA + 2,
                                                         .w = kB,
                                                         .w_scale = kB + 1,
                                                         .w_zero_point = kB + 2,
                                                         .bias = kC,
                                                         .y_scale = kYScale,
                                                         .channels = static_cast<size_t>(layout.columns),
                                                         .channels_last = !transposed},
                                           .rows = layout.rows,
                                           .columns = layout.columns});
}

/// With one constant matrix B, the batches of A are more rows of one product.
StepFunction compile_qlinear_matmul(CompileContext& context) {
  enum : size_t { kA = 0, kB = 3, kYScale = 6 };
  const Tensor* b = context.constant(kB);
  if (b == nullptr) return compile_computed_product(context);
  if (b->shape().size() != 2 || context.shape(kA).size() < 2) return nullptr;
  return compile_integer_product(context, {.a = kA,
                                           .constants = {.x_scale = kA + 1,
                                                         .x_zero_point = kA + 2,
                                                         .w = kB,
                                                         .w_scale = kB + 1,
                                                         .w_zero_point = kB + 2,
                                                         .y_scale = kYScale,
                                                         .channels = static_cast<size_t>(b->shape()[1]),
                                                         .channels_last = true},
                                           .rows = b->shape()[0],
                                           .columns = b->shape()[1]});
}

StepFunction compile_to_float(CompileContext& context) {
  enum : size_t { kA = 0, kB = 1, kAScale = 2, kBScale = 3, kAZero = 4, kBZero = 5, kBias = 6 };
  const Tensor* b = context.constant(kB);
  if (b == nullptr || b->shape().size() != 2 || context.shape(kA).size() < 2) return nullptr;
  return compile_integer_product(context, {.a = kA,
                                           .constants = {.x_scale = kAScale,
                                                         .x_zero_point = kAZero,
                                                         .w = kB,
                                                         .w_scale = kBScale,
                                                         .w_zero_point = kBZero,
                                                         .channels = static_cast<size_t>(b->shape()[1]),
                                                         .channels_last = true},
                                           .real_bias = kBias,
                                           .rows = b->shape()[0],
                                           .columns = b->shape()[1]});
}

}  // namespace

void add_integer_matmul_steps(std::vector<EngineForm>& forms) {
  forms.push_back(
      {.op_type = "MatMulIntegerToFloat", .domain = "com.microsoft", .compile = compile_to_float});
  forms.push_back({.op_type = "QGemm", .domain = "com.microsoft", .compile = compile_qgemm});
  forms.push_back({.op_type = "QLinearMatMul", .domain = "", .compile = compile_qlinear_matmul});
}

}  // namespace quantize
