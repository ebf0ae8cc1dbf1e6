// QLinearAdd and QLinearMul of ONNX Runtime, with broadcasting. The formulae are those of kernels/integer.h.
// Source: onnxruntime ContribOperators, com.microsoft.QLinearAdd and QLinearMul.
#include <cmath>

#include "core/integer/codes.h"
#include "core/integer/integer_formulas.h"
#include "core/ops/support/broadcast.h"

namespace quantize {

namespace {

enum : size_t { kA = 0, kB = 3, kYScale = 6 };

void infer(InferContext& context) {
  require_codes(context, kA);
  require_codes(context, kB);
  const auto a = context.shape(kA), b = context.shape(kB);
  const DataType dtype = code_type(context, kYScale, kA);
  context.set_output(0, dtype, a && b ? std::optional<Shape>(broadcast(*a, *b)) : std::nullopt);
}

/// Writes steps(a, b) for every pair of codes. The zero point of the result is rounded with it, as ONNX
/// Runtime does on x64, so it is a part of the steps.
template <typename Steps>
void each_pair(const EvaluateContext& context, Steps steps) {
  const TensorView &a = context.inputs[kA], &b = context.inputs[kB];
  const MutableTensorView& y = context.outputs[0];
  const std::vector<int32_t> a_codes = codes_of(a), b_codes = codes_of(b);
  const CodeWriter writer(y);
  const StridedLoop loop(y.shape, {strides_of(y.shape), broadcast_strides(a.shape, y.shape),
                                   broadcast_strides(b.shape, y.shape)});
  loop.for_each_row([&](const int64_t* offsets) {
    for (int64_t i = 0; i < loop.row_size(); ++i)
      writer.write(offsets[0] + i * loop.row_stride(0),
                   steps(a_codes[static_cast<size_t>(offsets[1] + i * loop.row_stride(1))],
                         b_codes[static_cast<size_t>(offsets[2] + i * loop.row_stride(2))]));
  });
}

void evaluate_add(const EvaluateContext& context) {
  const ScalarParams a = scalar_operand(context, kA + 1), b = scalar_operand(context, kB + 1),
                     y = scalar_operand(context, kYScale);
  const AddU8 form = add_form(a, b, y);
  each_pair(context, [&](int32_t p, int32_t q) {
    return std::fmaf(static_cast<float>(p), form.a_ratio,
                     std::fmaf(static_cast<float>(q), form.b_ratio, form.offset));
  });
}

void evaluate_mul(const EvaluateContext& context) {
  const ScalarParams a = scalar_operand(context, kA + 1), b = scalar_operand(context, kB + 1),
                     y = scalar_operand(context, kYScale);
  const MulU8 form = mul_form(a, b, y);
  each_pair(context, [&](int32_t p, int32_t q) {
    return static_cast<float>((p - a.zero_point) * (q - b.zero_point)) * form.multiplier +
           static_cast<float>(y.zero_point);
  });
}

OpDef pair(const char* op_type, void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "com.microsoft",
          .min_opset = 1,
          .max_opset = 1,
          .min_inputs = 7,
          .max_inputs = 8,
          .infer = infer,
          .evaluate = evaluate,
          .elementwise = true,
          .slots = {{operand_at(kA), operand_at(kB)}, kYScale}};
}

}  // namespace

void add_qlinear_pair(std::vector<OpDef>& ops) {
  ops.push_back(pair("QLinearAdd", evaluate_add));
  ops.push_back(pair("QLinearMul", evaluate_mul));
}

}  // namespace quantize
