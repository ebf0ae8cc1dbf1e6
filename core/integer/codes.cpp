// Reading and writing codes of either sign.
#include "core/integer/codes.h"

#include <cmath>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "kernels/requantize.h"

namespace quantize {

namespace {
constexpr std::array kCodeTypes{DataType::kU8, DataType::kS8};
}

void require_codes(const InferContext& context, size_t codes) {
  if (!context.has_input(codes)) invalid_model("input " + std::to_string(codes) + " is missing");
  require_type(context, codes, kCodeTypes);
  require_type(context, codes + 1, kF32Only);
  if (context.has_input(codes + 2)) require_same_type(context, codes, codes + 2);
}

DataType code_type(const InferContext& context, size_t scale, size_t like) {
  const size_t zero_point = scale + 1;
  require_type(context, scale, kF32Only);
  if (!context.has_input(zero_point)) return context.input(like).dtype;
  require_type(context, zero_point, kCodeTypes);
  return context.input(zero_point).dtype;
}

std::vector<int32_t> codes_of(const TensorView& codes) {
  std::vector<int32_t> result(static_cast<size_t>(codes.size()));
  visit_types<uint8_t, int8_t>(
      codes.dtype, [&]<typename T>() { std::copy_n(codes.as<T>(), codes.size(), result.begin()); });
  return result;
}

OperandParams channel_operand(const EvaluateContext& context, size_t scale, size_t zero_point_input,
                              int64_t channels) {
  const TensorView& scales = context.inputs[scale];
  OperandParams params{{scales.as<float>(), scales.as<float>() + scales.size()}, {}};
  if (params.scale.empty()) invalid_model("a scale has no elements");
  for (float s : params.scale)
    if (!(s > 0) || !std::isfinite(s))
      invalid_model("a scale is " + std::to_string(s) + ", but must be finite and above 0");
  if (const TensorView zero_point = context.input(zero_point_input)) params.zero_point = codes_of(zero_point);
  if (!params.match_numbers()) invalid_model("scale and zero point have different numbers of elements");
  if (!params.per_tensor() && static_cast<int64_t>(params.scale.size()) != channels)
    invalid_model(std::to_string(params.scale.size()) + " scales stand for " + std::to_string(channels) +
                  (channels == 1 ? " operand" : " channels"));
  return params;
}

ScalarParams scalar_operand(const EvaluateContext& context, size_t scale) {
  const OperandParams params = channel_operand(context, scale, scale + 1, 1);
  return {params.scale[0], params.zero_point[0]};
}

std::vector<int32_t> centred_codes(const TensorView& codes, const std::vector<int32_t>& zero_point,
                                   int64_t inner) {
  std::vector<int32_t> numbers = codes_of(codes);
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] -= zero_point[i / static_cast<size_t>(inner) % zero_point.size()];
  return numbers;
}

CodeLimits code_limits(DataType dtype) {
  return dtype == DataType::kS8 ? CodeLimits{-128, 127} : CodeLimits{0, 255};
}

void CodeWriter::write(int64_t i, float steps, int32_t zero_point) const {
  to_[i] = shifted_code(round_saturating(steps), zero_point, limits_.low, limits_.high);
}

}  // namespace quantize
