// Looking up what holds for one value.
#include "core/quantization/scheme.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace quantize {

const ValueOverride* find_override(const QuantizationScheme& scheme, const std::string& value) {
  const auto found = scheme.overrides.find(value);
  return found == scheme.overrides.end() ? nullptr : &found->second;
}

bool has_own_wish(const QuantizationScheme& scheme, const std::string& value) {
  const ValueOverride* specific = find_override(scheme, value);
  return specific != nullptr && !specific->known;
}

QuantType activation_type(const QuantizationScheme& scheme, const std::string& value) {
  QuantType type = scheme.activations;
  const ValueOverride* specific = find_override(scheme, value);
  if (specific == nullptr) return type;
  if (specific->num_bits) type.num_bits = *specific->num_bits;
  if (specific->is_unsigned) type.dtype = *specific->is_unsigned ? DataType::kU8 : DataType::kS8;
  if (specific->narrow_range) type.narrow_range = *specific->narrow_range;
  return type;
}

Range overridden_range(Range measured, const ValueOverride& specific) {
  Range range = measured;
  if (specific.amax) range = {measured.min < 0 ? -*specific.amax : 0.0f, *specific.amax};
  if (specific.min) range.min = *specific.min;
  if (specific.max) range.max = *specific.max;
  if (specific.scale_amax) range = {range.min * *specific.scale_amax, range.max * *specific.scale_amax};
  const bool set = specific.amax || specific.min || specific.max;
  if (!std::isfinite(range.max - range.min) || (set && range.min >= range.max))
    throw Error(ErrorKind::kInvalidArgument,
                "the override asks for the range [" + std::to_string(range.min) + ", " +
                    std::to_string(range.max) +
                    "]; its ends must be finite, as must their distance, and the first the smaller one");
  return {std::min(range.min, 0.0f), std::max(range.max, 0.0f)};
}

}  // namespace quantize
