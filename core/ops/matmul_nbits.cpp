// MatMulNBits of ONNX Runtime: a product by weights of 2, 4 or 8 bits with a scale per block of a column.
// Source: onnxruntime ContribOperators, com.microsoft.MatMulNBits.
#include "core/ops/matmul_nbits.h"

#include <vector>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

enum : size_t { kA = 0, kB = 1, kScales = 2, kZeroPoints = 3, kGroups = 4, kBias = 5 };

/// Code i of packed codes.
int64_t code_at(const uint8_t* packed, int64_t i, int64_t bits) {
  const int64_t bit = i * bits;
  return (packed[bit / 8] >> (bit % 8)) & ((1 << bits) - 1);
}

void infer(InferContext& context) {
  constexpr std::array kBytes{DataType::kU8};
  constexpr std::array kZeroPointTypes{DataType::kU8, DataType::kF32};
  for (const size_t i : {kA, kScales, kBias}) require_type(context, i, kF32Only);
  require_type(context, kB, kBytes);
  require_type(context, kZeroPoints, kZeroPointTypes);
  if (context.has_input(kGroups))
    throw Error(ErrorKind::kUnsupported,
                "MatMulNBits with input 'g_idx' is not supported; quantize the weights in order");
  const NBitsPacking p = nbits_packing(context.node);
  const auto holds = [&](size_t i, int64_t count) {
    const auto shape = context.shape(i);
    require(!shape || !is_static(*shape) || element_count(*shape) == count,
            "input " + std::to_string(i) + " does not have " + std::to_string(count) + " elements");
  };
  holds(kB, element_count(Shape{p.n, p.blocks, p.bytes_of_block()}));
  holds(kScales, element_count(Shape{p.n, p.blocks}));
  if (context.has_input(kZeroPoints))
    holds(kZeroPoints, context.input(kZeroPoints).dtype == DataType::kF32
                           ? p.n * p.blocks
                           : element_count(Shape{p.n, p.bytes_of_zero_points()}));
  require_vector(context, kBias, p.n);
  auto y = context.shape(kA);
  require(!y || (!y->empty() && compatible(y->back(), p.k)), "the input does not have K columns");
  if (y) y->back() = p.n;
  context.set_output(0, DataType::kF32, std::move(y));
}

void evaluate(const EvaluateContext& context) {
  const NBitsPacking p = nbits_packing(context.node);
  const TensorView &a = context.inputs[kA], bias = context.input(kBias);
  std::vector<float> weights(static_cast<size_t>(p.k));
  for (int64_t column = 0; column < p.n; ++column) {
    unpack_nbits_column(p, context.inputs[kB], context.inputs[kScales], context.input(kZeroPoints), column,
                        weights.data());
    for (int64_t row = 0; row < a.size() / p.k; ++row) {
      const float* x = a.as<float>() + row * p.k;
      float sum = 0;
      for (int64_t i = 0; i < p.k; ++i) sum += x[i] * weights[static_cast<size_t>(i)];
      context.outputs[0].as<float>()[row * p.n + column] = sum + (bias ? bias.as<float>()[column] : 0.0f);
    }
  }
}

}  // namespace

NBitsPacking nbits_packing(const Node& node) {
  NBitsPacking p{node.int_attribute("K", 0), node.int_attribute("N", 0), node.int_attribute("bits", 4),
                 node.int_attribute("block_size", 0), 0};
  constexpr int64_t kMost = int64_t{1} << 31;
  require(p.k > 0 && p.n > 0 && p.k < kMost && p.n < kMost,
          "attributes K and N do not say the weights' shape");
  require(p.bits == 2 || p.bits == 4 || p.bits == 8, "weights of " + std::to_string(p.bits) + " bits");
  require(p.block >= 16 && p.block <= kMost && (p.block & (p.block - 1)) == 0,
          "attribute 'block_size' is " + std::to_string(p.block) + ", but must be a power of two from 16 on");
  p.blocks = (p.k + p.block - 1) / p.block;
  return p;
}

void unpack_nbits_column(const NBitsPacking& p, const TensorView& packed, const TensorView& scales,
                         const TensorView& zero_points, int64_t column, float* weights) {
  const uint8_t* codes = packed.as<uint8_t>() + column * p.blocks * p.bytes_of_block();
  for (int64_t b = 0; b < p.blocks; ++b) {
    auto zero_point = static_cast<float>(int64_t{1} << (p.bits - 1));
    if (zero_points && zero_points.dtype == DataType::kF32)
      zero_point = zero_points.as<float>()[column * p.blocks + b];
    else if (zero_points)
      zero_point = static_cast<float>(
          code_at(zero_points.as<uint8_t>() + column * p.bytes_of_zero_points(), b, p.bits));
    const float scale = scales.as<float>()[column * p.blocks + b];
    for (int64_t i = b * p.block; i < std::min(p.k, (b + 1) * p.block); ++i)
      weights[i] = (static_cast<float>(code_at(codes + b * p.bytes_of_block(), i - b * p.block, p.bits)) -
                    zero_point) *
                   scale;
  }
}

void add_matmul_nbits(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "MatMulNBits",
                 .domain = "com.microsoft",
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 3,
                 .max_inputs = 6,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
