// ConvInteger and MatMulInteger: products of codes less their zero points, as sums of s32. DynamicQuantizeLinear: codes
// whose scale follows from the tensor itself.
#include "core/error.h"
#include "core/integer/codes.h"
#include "core/ops/conv.h"
#include "core/ops/matmul.h"
#include "core/ops/support/dynamic_range.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

enum : size_t { kA = 0, kB = 1, kAZero = 2, kBZero = 3 };

void check_codes(const InferContext& context) {
  constexpr std::array kCodeTypes{DataType::kU8, DataType::kS8};
  for (const size_t i : {kA, kB}) {
    require_type(context, i, kCodeTypes);
    if (context.has_input(i + kAZero)) require_same_type(context, i, i + kAZero);
  }
}

/// The zero points at input i: one, or `count`.
std::vector<int32_t> zero_points(const EvaluateContext& context, size_t i, int64_t count) {
  if (!context.input(i)) return {0};
  std::vector<int32_t> values = codes_of(context.inputs[i]);
  if (values.size() != 1 && static_cast<int64_t>(values.size()) != count)
    invalid_model("input " + std::to_string(i) + " has neither one zero point nor " + std::to_string(count));
  return values;
}

void infer_matmul(InferContext& context) {
  check_codes(context);
  const auto a = context.shape(kA), b = context.shape(kB);
  if (!a || !b) return context.set_output(0, DataType::kS32, std::nullopt);
  context.set_output(0, DataType::kS32, matmul_operands(*a, *b).output);
}

void evaluate_matmul(const EvaluateContext& context) {
  const MatMulOperands shapes = matmul_operands(context.inputs[kA].shape, context.inputs[kB].shape);
  const int64_t m = shapes.a[shapes.a.size() - 2], k = shapes.a.back(), n = shapes.b.back();
  const auto a = centred_codes(context.inputs[kA], zero_points(context, kAZero, m), k),
             b = centred_codes(context.inputs[kB], zero_points(context, kBZero, n), 1);
  int32_t* y = context.outputs[0].as<int32_t>();
  for_each_product(shapes, a, b, [&](int64_t sum, int64_t) { *y++ = static_cast<int32_t>(sum); });
}

void infer_conv(InferContext& context) {
  check_codes(context);
  const auto x = context.shape(kA), w = context.shape(kB);
  if (!x || !w) return context.set_output(0, DataType::kS32, std::nullopt);
  context.set_output(0, DataType::kS32, conv_output_shape(context.node, *x, *w, std::nullopt));
}

void evaluate_conv(const EvaluateContext& context) {
  const TensorView &x = context.inputs[kA], &w = context.inputs[kB];
  const auto codes = centred_codes(x, zero_points(context, kAZero, 1), 1),
             weights = centred_codes(w, zero_points(context, kBZero, w.shape[0]),
                                     extent_product(w.shape, 1, w.shape.size()));
  int32_t* y = context.outputs[0].as<int32_t>();
  convolve<int64_t>(context.node, x.shape, w.shape, codes.data(), weights.data(),
                    [&](int64_t sum, int64_t) { *y++ = static_cast<int32_t>(sum); });
}

void infer_dynamic(InferContext& context) {
  require_type(context, 0, kF32Only);
  context.set_output(0, DataType::kU8, context.shape(0));
  context.set_output(1, DataType::kF32, Shape{});
  context.set_output(2, DataType::kU8, Shape{});
}

void evaluate_dynamic(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const float* from = x.as<float>();
  const DynamicCodes codes(from, x.size());
  for (int64_t i = 0; i < x.size(); ++i)
    context.outputs[0].as<uint8_t>()[i] = static_cast<uint8_t>(codes.code(from[i]));
  if (context.outputs.size() > 1 && context.outputs[1]) *context.outputs[1].as<float>() = codes.scale;
  if (context.outputs.size() > 2 && context.outputs[2])
    *context.outputs[2].as<uint8_t>() = static_cast<uint8_t>(codes.zero_point);
}

}  // namespace

void add_integer_product(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "ConvInteger",
                 .domain = "",
                 .min_opset = 10,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 4,
                 .infer = infer_conv,
                 .evaluate = evaluate_conv,
                 .weight_layout = conv_weight_layout});
  ops.push_back({.op_type = "DynamicQuantizeLinear",
                 .domain = "",
                 .min_opset = 11,
                 .max_opset = kNewestOpset,
                 .max_outputs = 3,
                 .infer = infer_dynamic,
                 .evaluate = evaluate_dynamic});
  ops.push_back({.op_type = "MatMulInteger",
                 .domain = "",
                 .min_opset = 10,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 4,
                 .infer = infer_matmul,
                 .evaluate = evaluate_matmul,
                 .weight_layout = matmul_weight_layout});
}

}  // namespace quantize
