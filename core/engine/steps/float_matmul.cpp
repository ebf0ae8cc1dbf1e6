// The fast forms of Gemm, MatMul and MatMulNBits, on MatrixProduct.
#include <algorithm>
#include <memory>
#include <utility>

#include "core/engine/steps/matrix_product.h"
#include "core/ops/gemm.h"
#include "core/ops/matmul.h"
#include "core/ops/matmul_nbits.h"

namespace quantize {

namespace {

/// A model with more bytes of constants is in memory once: its matrices are read where they lie, or packed anew by
/// each run, and not kept packed beside the model.
constexpr uint64_t kMostPacked = uint64_t{1} << 30;

bool keeps_packed(const Graph& graph) {
  uint64_t bytes = 0;
  for (const Value& value : graph.values) bytes += value.initializer.byte_size();
  return bytes <= kMostPacked;
}

/// y = clamp(alpha * y + beta * c, low, high): what the kernel could not do on its way.
void finish(const StepContext& context, float alpha, float beta, float low, float high) {
  const TensorView c = context.input(2);
  float* y = context.outputs[0].as<float>();
  const Dims shape = context.outputs[0].shape;
  for (int64_t i = 0; i < shape[0]; ++i)
    for (int64_t j = 0; j < shape[1]; ++j, ++y) {
      const float addend = c ? beta * c.as<float>()[index_of_c(c.shape, i, j)] : 0.0f;
      *y = std::min(std::max(alpha * *y + addend, low), high);
    }
}

/// With constant B and a constant C that is the same for every row, the usual layer, the kernel does it all.
StepFunction compile_gemm(CompileContext& context) {
  const GemmShape shape(context.node, context.shape(0), context.shape(1));
  const auto product = std::make_shared<MatrixProduct>(context.kernels, shape.a, shape.b);
  const float low = context.low, high = context.high;
  const Tensor* b = keeps_packed(context.graph) ? context.constant(1) : nullptr;
  const Tensor* c = context.constant(2);
  if (b != nullptr) product->pack_b(b->data<float>(), 1, shape.alpha);
  context.scratch_bytes = product->scratch_bytes();
  const bool has_c = context.node.input(2) != kNoValue;
  const bool row = c != nullptr && (c->shape().size() < 2 || c->shape()[0] == 1);
  if (b != nullptr && (row || !has_c)) {
    std::vector<float> bias(static_cast<size_t>(shape.b.columns), 0.0f);
    for (size_t j = 0; row && j < bias.size(); ++j)
      bias[j] = shape.beta * c->data<float>()[index_of_c(c->shape(), 0, static_cast<int64_t>(j))];
    product->split(context);
    return [product, bias, low, high](const StepContext& run) {
      product->run({.a = run.inputs[0].as<float>(),
                    .c = run.outputs[0].as<float>(),
                    .column_bias = bias.data(),
                    .low = low,
                    .high = high},
                   run);
    };
  }
  const float alpha = b != nullptr ? 1.0f : shape.alpha;
  return [product, alpha, beta = shape.beta, low, high](const StepContext& run) {
    constexpr float kInf = std::numeric_limits<float>::infinity();
    product->run({.a = run.inputs[0].as<float>(),
                  .b = run.inputs[1].as<float>(),
                  .c = run.outputs[0].as<float>(),
                  .low = -kInf,
                  .high = kInf},
                 run.scratch);
    finish(run, alpha, beta, low, high);
  };
}

/// Constant B is packed once (see kMostPacked). If B is one matrix, the batches of A are more rows of one product.
StepFunction compile_matmul(CompileContext& context) {
  const MatMulOperands operands = matmul_operands(context.shape(0), context.shape(1));
  const int64_t k = operands.a.back(), n = operands.b.back();
  const int64_t b_matrices = element_count(Dims(operands.b).first(operands.b.size() - 2));
  int64_t batches = element_count(operands.batch), m = operands.a[operands.a.size() - 2];
  if (b_matrices == 1) m *= std::exchange(batches, 1);
  const auto product = std::make_shared<MatrixProduct>(context.kernels, MatrixLayout::row_major(m, k),
                                                       MatrixLayout::row_major(k, n));
  const Tensor* packed = keeps_packed(context.graph) ? context.constant(1) : nullptr;
  if (packed != nullptr) product->pack_b(packed->data<float>(), b_matrices, 1.0f);
  context.scratch_bytes = product->scratch_bytes();
  std::vector<std::pair<int64_t, int64_t>> pairs;  // the matrices of A and B that make each of the output
  for (int64_t i = 0; i < batches; ++i)
    pairs.emplace_back(matrix_index(operands.batch, operands.a, i),
                       matrix_index(operands.batch, operands.b, i));
  if (batches == 1) {
    product->split(context);
  } else {
    const double macs = static_cast<double>(batches) * static_cast<double>(m * n) * static_cast<double>(k);
    context.chunks = context.cut(kCoarseChunks, macs / 20, batches);
  }
  return [product, pairs, m, n, k, low = context.low, high = context.high,
          chunks = context.chunks](const StepContext& run) {
    const auto operands_at = [&](int64_t i) -> MatrixProduct::Operands {
      const auto [a, b] = pairs[static_cast<size_t>(i)];
      return {.a = run.inputs[0].as<float>() + a * m * k,
              .b = run.inputs[1].as<float>() + b * k * n,
              .b_index = b,
              .c = run.outputs[0].as<float>() + i * m * n,
              .low = low,
              .high = high};
    };
    if (pairs.size() == 1) return product->run(operands_at(0), run);
    const auto [begin, end] = units_of(run, static_cast<int64_t>(pairs.size()), chunks);
    for (int64_t i = begin; i < end; ++i) product->run(operands_at(i), run.scratch);
  };
}

/// Weights of few bits are kept packed as reals, while that takes no more memory than any model may.
StepFunction compile_nbits(CompileContext& context) {
  enum : size_t { kB = 1, kScales = 2, kZeroPoints = 3, kBias = 5 };
  const Node& node = context.node;
  const Tensor *b = context.constant(kB), *scales = context.constant(kScales),
               *zero_points = context.constant(kZeroPoints);
  const NBitsPacking packing = nbits_packing(node);
  const uint64_t bytes = static_cast<uint64_t>(packing.k) * static_cast<uint64_t>(packing.n) * sizeof(float);
  if (b == nullptr || scales == nullptr || bytes > kMostPacked || !keeps_packed(context.graph) ||
      (node.input(kZeroPoints) != kNoValue && zero_points == nullptr))
    return nullptr;
  Tensor weights(DataType::kF32, {packing.n, packing.k});
  for (int64_t column = 0; column < packing.n; ++column)
    unpack_nbits_column(packing, b->view(), scales->view(),
                        zero_points == nullptr ? TensorView{} : zero_points->view(), column,
                        weights.mutable_data<float>() + column * packing.k);
  const int64_t rows = element_count(context.shape(0)) / packing.k;
  const auto product =
      std::make_shared<MatrixProduct>(context.kernels, MatrixLayout::row_major(rows, packing.k),
                                      MatrixLayout::row_major(packing.n, packing.k).transposed());
  product->pack_b(weights.data<float>(), 1, 1.0f);
  product->split(context);
  context.weights_packed = true;
  return [product](const StepContext& run) {
    constexpr float kInf = std::numeric_limits<float>::infinity();
    const TensorView bias = run.input(kBias);
    product->run({.a = run.inputs[0].as<float>(),
                  .c = run.outputs[0].as<float>(),
                  .column_bias = bias ? bias.as<float>() : nullptr,
                  .low = -kInf,
                  .high = kInf},
                 run);
  };
}

}  // namespace

void add_float_matmul_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "Gemm", .domain = "", .compile = compile_gemm, .fuses_clamp = true});
  forms.push_back({.op_type = "MatMul", .domain = "", .compile = compile_matmul, .fuses_clamp = true});
  forms.push_back({.op_type = "MatMulNBits", .domain = "com.microsoft", .compile = compile_nbits});
}

}  // namespace quantize
