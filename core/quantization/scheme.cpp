// Looking up what holds for one value.
#include "core/quantization/scheme.h"

namespace quantize {

const ValueOverride* find_override(const QuantizationScheme& scheme, const std::string& value) {
  const auto found = scheme.overrides.find(value);
  return found == scheme.overrides.end() ? nullptr : &found->second;
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

}  // namespace quantize
