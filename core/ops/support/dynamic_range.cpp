#include "core/ops/support/dynamic_range.h"

#include <algorithm>
#include <cmath>

#include "core/ops/support/operands.h"
#include "core/quant_params.h"

namespace quantize {

DynamicCodes::DynamicCodes(const float* x, int64_t count) {
  float low = 0, high = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(x[i])) invalid_model("a tensor to quantize by its own range holds no number");
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  const float range = (high - low) / 255;
  scale = range > 0 ? range : 1;
  zero_point = quantize_value(-low, scale, 0, 0, 255);
}

int32_t DynamicCodes::code(float x) const {
  return quantize_value(x, scale, zero_point, 0, 255);
}

}  // namespace quantize
