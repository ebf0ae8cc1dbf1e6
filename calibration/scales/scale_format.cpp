#include "calibration/scales/scale_format.h"

#include <array>
#include <charconv>
#include <cmath>

#include "core/error.h"

namespace quantize {

float symmetric_scale(const QuantParams& params, size_t channel) {
  const QuantType symmetric{.dtype = DataType::kS8, .symmetric = true, .narrow_range = true};
  return params_of_type(params, symmetric).scale_of(channel);
}

QuantParams symmetric_params(std::vector<float> scales) {
  const std::vector<int64_t> zeros(scales.size(), 0);
  return checked_params(8, true, std::move(scales), zeros);
}

QuantParams checked_params(int bits, bool is_signed, std::vector<float> scales,
                           const std::vector<int64_t>& zero_points) {
  if (bits != 8 && bits != 16)
    throw Error(ErrorKind::kInvalidArgument,
                "codes of " + std::to_string(bits) + " bits; 8 and 16 are known");
  QuantParams params;
  params.dtype =
      bits == 8 ? (is_signed ? DataType::kS8 : DataType::kU8) : (is_signed ? DataType::kS16 : DataType::kU16);
  const Range codes = code_range({.dtype = params.dtype, .num_bits = bits});
  params.quant_min = static_cast<int32_t>(codes.min);
  params.quant_max = static_cast<int32_t>(codes.max);
  if (scales.empty() || scales.size() != zero_points.size())
    throw Error(ErrorKind::kInvalidArgument, std::to_string(scales.size()) + " scales and " +
                                                 std::to_string(zero_points.size()) + " zero points");
  for (const float scale : scales)
    if (!(scale > 0) || !std::isfinite(scale))
      throw Error(ErrorKind::kInvalidArgument,
                  "a scale of " + exact_text(scale) + " is no positive finite number");
  for (const int64_t zero_point : zero_points) {
    if (zero_point < params.quant_min || zero_point > params.quant_max)
      throw Error(ErrorKind::kInvalidArgument, "zero point " + std::to_string(zero_point) +
                                                   " is no code of " + std::string(name_of(params.dtype)));
    params.zero_point.push_back(static_cast<int32_t>(zero_point));
  }
  params.scale = std::move(scales);
  if (params.scale.size() > 1) params.axis = 0;
  return params;
}

std::string exact_text(float number) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  return {text.data(), end};
}

}  // namespace quantize
