// Scale and zero point, and the one quantization formula of the program.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/tensor.h"

namespace quantize {

/// An interval of real numbers that quantization must represent: min <= 0 <= max, both finite.
struct Range {
  float min = 0;
  float max = 0;
};

/// How a tensor is held in integers: real = scale * (q - zero_point).
///
/// `scale` and `zero_point` have one element (per tensor) or one per extent along `axis`. Scales are real
/// units per step, > 0 and finite. `quant_min` and `quant_max` are the codes in use, inside the type's range:
/// narrower for narrow_range ([-127, 127]), reduce_range (7 bits) and num_bits < 8.
struct QuantParams {
  DataType dtype = DataType::kU8;
  std::vector<float> scale;
  std::vector<int32_t> zero_point;
  std::optional<int64_t> axis;  // nothing: per tensor
  int32_t quant_min = 0;
  int32_t quant_max = 255;

  bool per_tensor() const { return !axis.has_value(); }
  float scale_of(size_t channel) const { return scale[per_tensor() ? 0 : channel]; }
};

bool operator==(const QuantParams& a, const QuantParams& b);
inline bool operator!=(const QuantParams& a, const QuantParams& b) {
  return !(a == b);
}

/// Bits of a code of this type: 8 or 16.
inline int bits_of(DataType codes) {
  return static_cast<int>(8 * size_of(codes));
}

/// The integer type that a user or target asks for, before any range is known.
struct QuantType {
  DataType dtype = DataType::kU8;  // storage: u8, s8 (u16, s16 for targets that have them)
  int num_bits = 8;                // 2..8 (..16 for 16-bit storage)
  bool symmetric = false;          // zero point 0 for signed, the middle for unsigned
  bool narrow_range = false;       // leave out the lowest code: [-127, 127]
  bool power_of_two = false;       // of scales
};

/// Smallest and largest code of a type, as reals: [0, 255] for u8 of 8 bits, [0, 127] of 7 bits; [-127, 127]
/// for s8 of 8 bits with narrow_range. Errors: Error(kInvalidArgument) for a storage type that is no integer
/// of 8 or 16 bits or bits that do not fit.
Range code_range(const QuantType& type);

/// Scale and zero point that hold every range, one per channel if there are several.
///
///   asymmetric:  scale = (max - min) / (quant_max - quant_min)
///                zero_point = round_half_even(quant_min - min / scale)
///   symmetric:   scale = max(-min, max) / (number of codes on one side of the zero point)
///
/// power_of_two: the scale is raised to the next power of two, so that no range is cut.
/// A range of {0, 0} gets scale 1. A scale is never below the smallest normal float: below it, it is raised.
/// Requires: min <= 0 <= max, finite (Errors: Error(kInternal)).
QuantParams choose_quant_params(const std::vector<Range>& ranges, const QuantType& type,
                                std::optional<int64_t> axis = std::nullopt);

/// The least power of two that is not below the scale. Requires: a normal float > 0, at most 2^127.
float next_power_of_two(float scale);

/// The reals that the codes of a channel hold.
Range held_range(const QuantParams& params, size_t channel);

/// Parameters of another type for the reals that `known` holds: the same scales where they, and its zero points moved
/// with the codes, are such of the type, else what choose_quant_params makes of the ranges.
QuantParams params_of_type(const QuantParams& known, const QuantType& type);

/// The one formula of quantization. NaN gives zero_point.
///
///   q = clamp(round_half_even(x / scale) + zero_point, quant_min, quant_max)
///
/// Accuracy: bit-exact on every machine. Source: ONNX QuantizeLinear-13.
int32_t quantize_value(float x, float scale, int32_t zero_point, int32_t quant_min, int32_t quant_max);

/// real = scale * (q - zero_point), in float.
inline float dequantize_value(int32_t q, float scale, int32_t zero_point) {
  return static_cast<float>(q - zero_point) * scale;
}

/// Quantizes a float tensor: y[i] = quantize_value(x[i]) with the scale of i's channel along params.axis.
///
/// Shapes: x any; result as x. Types: x f32; result params.dtype (u8, s8, u16 or s16).
/// Errors: Error(kInvalidArgument) if the number of scales is neither 1 nor the extent along the axis.
Tensor quantize_tensor(const Tensor& x, const QuantParams& params);

/// The inverse: f32, y[i] = dequantize_value(x[i]). Errors as quantize_tensor.
Tensor dequantize_tensor(const Tensor& x, const QuantParams& params);

}  // namespace quantize
