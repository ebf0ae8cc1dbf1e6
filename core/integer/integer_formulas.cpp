// Constants that follow from scales and zero points.
#include "core/integer/integer_formulas.h"

#include "core/integer/codes.h"
#include "core/quant_params.h"

namespace quantize {

AddU8 add_form(const ScalarParams& a, const ScalarParams& b, const ScalarParams& y) {
  AddU8 form;
  form.a_ratio = a.scale / y.scale;
  form.b_ratio = b.scale / y.scale;
  form.offset = static_cast<float>(y.zero_point) - (form.a_ratio * static_cast<float>(a.zero_point) +
                                                    form.b_ratio * static_cast<float>(b.zero_point));
  return form;
}

AddU8 join_form(const ScalarParams& b, const ScalarParams& y) {
  AddU8 form;
  form.b_ratio = b.scale / y.scale;
  form.offset = static_cast<float>(y.zero_point) - form.b_ratio * static_cast<float>(b.zero_point);
  return form;
}

MulU8 mul_form(const ScalarParams& a, const ScalarParams& b, const ScalarParams& y) {
  MulU8 form;
  form.a_zero_point = a.zero_point;
  form.b_zero_point = b.zero_point;
  form.multiplier = (a.scale * b.scale) / y.scale;
  form.zero_point = y.zero_point;
  return form;
}

int32_t requantized(int32_t code, const ScalarParams& x, const ScalarParams& y, DataType dtype) {
  const CodeLimits limits = code_limits(dtype);
  return quantize_value(dequantize_value(code, x.scale, x.zero_point), y.scale, y.zero_point, limits.low,
                        limits.high);
}

std::vector<uint8_t> requantize_table(const ScalarParams& x, const ScalarParams& y) {
  std::vector<uint8_t> table;
  table.reserve(256);
  for (int32_t code = 0; code < 256; ++code)
    table.push_back(static_cast<uint8_t>(requantized(code, x, y, DataType::kU8)));
  return table;
}

float mean_multiplier(const ScalarParams& x, const ScalarParams& y, int64_t count) {
  return count > 0 ? x.scale / (y.scale * static_cast<float>(count)) : 0.0f;
}

int64_t qlinear_divisor(const WindowAxis& axis, int64_t o, bool with_padding) {
  return with_padding ? axis.kernel : counted_taps(axis, o, false);
}

SoftmaxExtents qlinear_softmax_extents(const Node& node, Dims x) {
  return softmax_extents(node, node.int_attribute("opset", 13), x);
}

}  // namespace quantize
