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

bool has_own_wish(const QuantizationScheme& scheme, const std::string& value, const std::string& other) {
  const ValueOverride *specific = find_override(scheme, value), *of_other = find_override(scheme, other);
  return specific != nullptr && !specific->known && (of_other == nullptr || !(*specific == *of_other));
}

bool sets_range(const ValueOverride& specific) {
  return specific.min || specific.max || specific.amax || specific.scale_amax;
}

void merge_override(ValueOverride& specific, const ValueOverride& later) {
  const auto take = [](auto& own, const auto& other) {
    if (other) own = other;
  };
  if (later.amax) specific.min = specific.max = std::nullopt;
  take(specific.min, later.min);
  take(specific.max, later.max);
  take(specific.amax, later.amax);
  take(specific.scale_amax, later.scale_amax);
  take(specific.num_bits, later.num_bits);
  take(specific.is_unsigned, later.is_unsigned);
  take(specific.narrow_range, later.narrow_range);
  take(specific.enabled, later.enabled);
  take(specific.symmetric, later.symmetric);
  take(specific.per_channel, later.per_channel);
  take(specific.axis, later.axis);
  take(specific.method, later.method);
  take(specific.known, later.known);
}

std::optional<int> overridden_bits(const QuantizationScheme& scheme, const std::string& value) {
  const ValueOverride* specific = find_override(scheme, value);
  if (specific == nullptr) return std::nullopt;
  if (specific->num_bits) return *specific->num_bits > 8 ? 16 : 8;
  if (specific->known && scheme.keeps_16_bits && bits_of(specific->known->dtype) == 16) return 16;
  return std::nullopt;
}

QuantType activation_type(const QuantizationScheme& scheme, const std::string& value) {
  return activation_type(scheme, value, overridden_bits(scheme, value).value_or(8));
}

QuantType activation_type(const QuantizationScheme& scheme, const std::string& value, int bits) {
  const bool has_16 = bits == 16;
  if (has_16 && !scheme.activations16)
    throw Error(ErrorKind::kInternal, "16 bits are asked of a target that has 8");
  QuantType type = has_16 ? *scheme.activations16 : scheme.activations;
  const ValueOverride* specific = find_override(scheme, value);
  if (specific == nullptr) return type;
  if (specific->num_bits && *specific->num_bits <= 8 && !has_16) type.num_bits = *specific->num_bits;
  if (specific->is_unsigned && *specific->is_unsigned)
    type.dtype = has_16 ? DataType::kU16 : DataType::kU8;
  else if (specific->is_unsigned)
    type.dtype = has_16 ? DataType::kS16 : DataType::kS8;
  if (specific->symmetric) type.symmetric = *specific->symmetric;
  if (specific->narrow_range) type.narrow_range = *specific->narrow_range;
  return type;
}

bool asks_for_few_bits(const QuantizationScheme& scheme) {
  const auto is_few = [](const ValueOverride& specific) { return specific.num_bits.value_or(8) < 8; };
  return std::any_of(scheme.overrides.begin(), scheme.overrides.end(),
                     [&](const auto& each) { return is_few(each.second); }) ||
         std::any_of(scheme.rules.begin(), scheme.rules.end(),
                     [&](const Rule& rule) { return is_few(rule.weights); });
}

bool asks_for_16_bits(const QuantizationScheme& scheme) {
  const auto has_16 = [](const BitsRule& rule) { return rule.bits == 16; };
  return scheme.activation_bits == 16 ||
         std::any_of(scheme.bits_rules.begin(), scheme.bits_rules.end(), has_16) ||
         std::any_of(scheme.rules.begin(), scheme.rules.end(),
                     [](const Rule& rule) { return rule.activations.num_bits.value_or(8) > 8; }) ||
         std::any_of(scheme.overrides.begin(), scheme.overrides.end(),
                     [&](const auto& each) { return overridden_bits(scheme, each.first) == 16; });
}

bool may_have_16_bits(const QuantizationScheme& scheme) {
  return scheme.activations16 &&
         (scheme.may_take_16 || scheme.keeps_16_bits || !scheme.nodes16.empty() || asks_for_16_bits(scheme));
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
