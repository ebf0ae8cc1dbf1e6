// DynamicQuantizeMatMul of ONNX Runtime: A gets codes by its own range, B has codes; the product is real, plus a bias.
// Source: onnxruntime ContribOperators, com.microsoft.DynamicQuantizeMatMul.
#include "core/error.h"
#include "core/integer/codes.h"
#include "core/ops/matmul.h"
#include "core/ops/support/dynamic_range.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

enum : size_t { kA = 0, kB = 1, kScale = 2, kZeroPoint = 3, kBias = 4 };

void infer(InferContext& context) {
  constexpr std::array kCodeTypes{DataType::kU8, DataType::kS8};
  for (const size_t i : {kA, kScale, kBias}) require_type(context, i, kF32Only);
  require_type(context, kB, kCodeTypes);
  if (context.has_input(kZeroPoint)) require_same_type(context, kB, kZeroPoint);
  const auto a = context.shape(kA), b = context.shape(kB);
  if (!a || !b) return context.set_output(0, DataType::kF32, std::nullopt);
  const Shape y = matmul_operands(*a, *b).output;
  require_vector(context, kBias, y.empty() ? 1 : y.back());
  context.set_output(0, DataType::kF32, y);
}

void evaluate(const EvaluateContext& context) {
  const TensorView& x = context.inputs[kA];
  const MatMulOperands shapes = matmul_operands(x.shape, context.inputs[kB].shape);
  const OperandParams params = channel_operand(context, kScale, kZeroPoint, shapes.b.back());
  const DynamicCodes codes(x.as<float>(), x.size());
  std::vector<int32_t> a(static_cast<size_t>(x.size()));
  for (int64_t i = 0; i < x.size(); ++i)
    a[static_cast<size_t>(i)] = codes.code(x.as<float>()[i]) - codes.zero_point;
  const auto b = centred_codes(context.inputs[kB], params.zero_point, 1);
  const TensorView bias = context.input(kBias);
  float* y = context.outputs[0].as<float>();
  for_each_product(shapes, a, b, [&](int64_t sum, int64_t j) {
    const float step = codes.scale * params.scale[params.per_tensor() ? 0 : static_cast<size_t>(j)];
    *y++ = static_cast<float>(sum) * step + (bias ? bias.as<float>()[j] : 0.0f);
  });
}

}  // namespace

void add_dynamic_quantize_matmul(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "DynamicQuantizeMatMul",
                 .domain = "com.microsoft",
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 3,
                 .max_inputs = 5,
                 .infer = infer,
                 .evaluate = evaluate,
                 .weight_layout = matmul_weight_layout});
}

}  // namespace quantize
