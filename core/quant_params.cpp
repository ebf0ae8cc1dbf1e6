// The quantization formulae: every other place that quantizes calls these or is tested to equal them.
#include "core/quant_params.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"

namespace quantize {

namespace {

struct Codes {
  int32_t min, max;
};

Codes codes_of(const QuantType& type) {
  const bool is_signed = type.dtype == DataType::kS8 || type.dtype == DataType::kS16;
  const auto width = static_cast<int>(8 * size_of(type.dtype));
  if ((!is_signed && type.dtype != DataType::kU8 && type.dtype != DataType::kU16) || type.num_bits < 2 ||
      type.num_bits > width)
    throw Error(ErrorKind::kInvalidArgument, "cannot store " + std::to_string(type.num_bits) +
                                                 " bits in type " + std::string(name_of(type.dtype)));
  const int32_t levels = 1 << type.num_bits;
  Codes codes = is_signed ? Codes{-levels / 2, levels / 2 - 1} : Codes{0, levels - 1};
  if (type.narrow_range) ++codes.min;
  return codes;
}

/// How many neighbours share a channel, and how many channels there are.
struct Channels {
  int64_t inner = 1, count = 1;
};

Channels channels_of(const Tensor& x, const QuantParams& params) {
  Channels channels{.inner = x.size()};
  if (params.axis) {
    channels.inner = 1;
    const auto axis = static_cast<size_t>(normalize_axis(*params.axis, x.shape().size()));
    for (size_t i = axis + 1; i < x.shape().size(); ++i) channels.inner *= x.shape()[i];
    channels.count = x.shape()[axis];
  }
  const auto scales = static_cast<int64_t>(params.scale.size());
  if (scales != channels.count || params.zero_point.size() != params.scale.size())
    throw Error(ErrorKind::kInvalidArgument, std::to_string(scales) + " scales do not fit " +
                                                 std::to_string(channels.count) + " channels");
  return channels;
}

/// Calls body(i, scale, zero point) for every element.
template <typename Body>
void for_each_element(const Tensor& x, const QuantParams& params, const Channels& channels, Body body) {
  size_t c = 0;
  for (int64_t begin = 0; begin < x.size(); begin += channels.inner) {
    for (int64_t i = begin; i < begin + channels.inner; ++i) body(i, params.scale[c], params.zero_point[c]);
    if (++c == params.scale.size()) c = 0;
  }
}

template <typename T>
void quantize_into(const Tensor& x, const QuantParams& params, const Channels& channels, T* y) {
  const float* reals = x.data<float>();
  for_each_element(x, params, channels, [&](int64_t i, float scale, int32_t zero_point) {
    y[i] = static_cast<T>(quantize_value(reals[i], scale, zero_point, params.quant_min, params.quant_max));
  });
}

template <typename T>
void dequantize_into(const Tensor& x, const QuantParams& params, const Channels& channels, float* y) {
  const T* codes = x.data<T>();
  for_each_element(x, params, channels, [&](int64_t i, float scale, int32_t zero_point) {
    y[i] = dequantize_value(static_cast<int32_t>(codes[i]), scale, zero_point);
  });
}

}  // namespace

bool operator==(const QuantParams& a, const QuantParams& b) {
  return a.dtype == b.dtype && a.scale == b.scale && a.zero_point == b.zero_point && a.axis == b.axis &&
         a.quant_min == b.quant_min && a.quant_max == b.quant_max;
}

Range code_range(const QuantType& type) {
  const Codes codes = codes_of(type);
  return {static_cast<float>(codes.min), static_cast<float>(codes.max)};
}

QuantParams choose_quant_params(const std::vector<Range>& ranges, const QuantType& type,
                                std::optional<int64_t> axis) {
  const Codes codes = codes_of(type);
  QuantParams params;
  params.dtype = type.dtype;
  params.axis = axis;
  params.quant_min = codes.min;
  params.quant_max = codes.max;
  for (const Range& range : ranges) {
    if (!(range.min <= 0 && range.max >= 0 && std::isfinite(range.min) && std::isfinite(range.max)))
      throw Error(ErrorKind::kInternal, "a range to quantize must be finite and hold 0");
    double scale = 0;
    int32_t zero_point = 0;
    if (type.symmetric) {
      zero_point = codes.min < 0 ? 0 : (codes.max + 1) / 2;
      scale = std::max(-double{range.min}, double{range.max}) / (codes.max - zero_point);
    } else {
      scale = (double{range.max} - double{range.min}) / (codes.max - codes.min);
    }
    auto stored = static_cast<float>(scale);
    if (range.min == 0 && range.max == 0) stored = 1;
    stored = std::max(stored, std::numeric_limits<float>::min());
    if (type.power_of_two) stored = next_power_of_two(stored);
    if (!type.symmetric)
      zero_point =
          std::clamp(static_cast<int32_t>(std::nearbyint(codes.min - double{range.min} / double{stored})),
                     codes.min, codes.max);
    params.scale.push_back(stored);
    params.zero_point.push_back(zero_point);
  }
  return params;
}

float next_power_of_two(float scale) {
  int exponent = 0;
  const float fraction = std::frexp(scale, &exponent);  // from 0.5 to below 1
  return std::ldexp(1.0f, fraction == 0.5f ? exponent - 1 : exponent);
}

Range held_range(const QuantParams& params, size_t channel) {
  const size_t c = params.per_tensor() ? 0 : channel;
  const int32_t above = params.quant_max - params.zero_point[c];
  int32_t below = params.zero_point[c] - params.quant_min;
  if (below == above + 1) below = above;  // a zero in the middle: symmetric scales leave the lowest code out
  return {-params.scale[c] * static_cast<float>(below), params.scale[c] * static_cast<float>(above)};
}

QuantParams params_of_type(const QuantParams& known, const QuantType& type) {
  const Codes codes = codes_of(type);
  QuantParams params = known;
  params.dtype = type.dtype;
  params.quant_min = codes.min;
  params.quant_max = codes.max;
  const int32_t lowest = codes.min - (type.narrow_range ? 1 : 0), move = lowest - known.quant_min;
  bool fits = codes.max - lowest == known.quant_max - known.quant_min;
  for (int32_t& zero_point : params.zero_point) {
    zero_point += move;
    fits &= !type.symmetric || zero_point == (codes.min < 0 ? 0 : (codes.max + 1) / 2);
  }
  for (const float scale : params.scale) fits &= !type.power_of_two || next_power_of_two(scale) == scale;
  if (fits) return params;
  std::vector<Range> ranges;
  for (size_t c = 0; c < known.scale.size(); ++c) ranges.push_back(held_range(known, c));
  return choose_quant_params(ranges, type, known.axis);
}

int32_t quantize_value(float x, float scale, int32_t zero_point, int32_t quant_min, int32_t quant_max) {
  if (std::isnan(x)) return zero_point;
  // Saturating before the zero point is added is the same as after: both ends move by it.
  const float rounded = std::nearbyint(x / scale);
  const float low = static_cast<float>(quant_min - zero_point);
  const float high = static_cast<float>(quant_max - zero_point);
  return static_cast<int32_t>(std::clamp(rounded, low, high)) + zero_point;
}

Tensor quantize_tensor(const Tensor& x, const QuantParams& params) {
  const Channels channels = channels_of(x, params);
  Tensor y(params.dtype, x.shape());
  switch (params.dtype) {
    case DataType::kU8:
      quantize_into(x, params, channels, y.mutable_data<uint8_t>());
      break;
    case DataType::kS8:
      quantize_into(x, params, channels, y.mutable_data<int8_t>());
      break;
    case DataType::kU16:
      quantize_into(x, params, channels, y.mutable_data<uint16_t>());
      break;
    case DataType::kS16:
      quantize_into(x, params, channels, y.mutable_data<int16_t>());
      break;
    default:
      throw Error(ErrorKind::kInvalidArgument, "cannot quantize to " + std::string(name_of(params.dtype)));
  }
  return y;
}

Tensor dequantize_tensor(const Tensor& x, const QuantParams& params) {
  const Channels channels = channels_of(x, params);
  Tensor y(DataType::kF32, x.shape());
  switch (x.dtype()) {
    case DataType::kU8:
      dequantize_into<uint8_t>(x, params, channels, y.mutable_data<float>());
      break;
    case DataType::kS8:
      dequantize_into<int8_t>(x, params, channels, y.mutable_data<float>());
      break;
    case DataType::kU16:
      dequantize_into<uint16_t>(x, params, channels, y.mutable_data<float>());
      break;
    case DataType::kS16:
      dequantize_into<int16_t>(x, params, channels, y.mutable_data<float>());
      break;
    case DataType::kS32:
      dequantize_into<int32_t>(x, params, channels, y.mutable_data<float>());
      break;
    default:
      throw Error(ErrorKind::kInvalidArgument, "cannot dequantize " + std::string(name_of(x.dtype())));
  }
  return y;
}

}  // namespace quantize
