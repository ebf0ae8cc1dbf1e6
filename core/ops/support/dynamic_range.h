// Codes of u8 whose scale follows from the numbers themselves, as DynamicQuantizeLinear has them.
#pragma once

#include <cstdint>

namespace quantize {

/// The scale and zero point at which 0 and all numbers have codes.
struct DynamicCodes {
  float scale;
  int32_t zero_point;

  /// Source: ONNX DynamicQuantizeLinear-11; the scale is 1 where all numbers are 0.
  /// Errors: Error(kInvalidModel) if a number is not finite.
  DynamicCodes(const float* x, int64_t count);

  /// The code of a number, 0 to 255.
  int32_t code(float x) const;
  /// The number that stands for the code of x.
  float rounded(float x) const { return static_cast<float>(code(x) - zero_point) * scale; }
};

}  // namespace quantize
