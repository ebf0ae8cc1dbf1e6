// Deciding values one by one. Read OwnValues::decide() first.
#include "core/quantization/own_values.h"

#include <algorithm>
#include <cstdio>

#include "core/error.h"
#include "core/passes/passes.h"
#include "core/quantization/channel_scales.h"
#include "core/quantization/reasons.h"

namespace quantize {

namespace {

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2g %%", 100 * share);
  return text;
}

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", x);
  return text;
}

}  // namespace

OwnValues::OwnValues(const PlanInputs& inputs)
    : graph_(inputs.graph),
      index_(inputs.index),
      ranges_(inputs.ranges),
      scheme_(inputs.scheme),
      target_(inputs.target),
      candidates_(inputs.candidates),
      chains_(inputs.chains),
      bits_(inputs.bits),
      noise_(graph_, index_, ranges_),
      result_(find_results(graph_, index_)),
      own_(graph_.values.size()) {}

/// Why rounding the value costs too much; nothing: it does not.
FloatReason OwnValues::noise_reason(ValueId id, const QuantParams& params) const {
  if (scheme_.max_noise >= 1 || find_override(scheme_, name(id)) != nullptr) return std::nullopt;
  const RoundingNoise::Estimate noise = noise_.estimate(id, params.scale[0]);
  if (noise.share <= scheme_.max_noise) return std::nullopt;
  const std::string step = number(params.scale[0]), share = percent(noise.share),
                    limit = percent(scheme_.max_noise), steps = number(noise.narrowest_steps);
  if (noise.reader == kNoNode) return text_of(Cause::kNoisyChannels, {step, share, limit, steps});
  const std::string& reader = graph_.nodes[static_cast<size_t>(noise.reader)].name;
  return text_of(Cause::kNoisyResult, {step, share, reader, limit, steps});
}

/// Why no scale can be had of what calibration saw of the value; nothing: it can.
FloatReason OwnValues::range_reason(ValueId id) const {
  const ValueRange* measured = ranges_.find(name(id));
  const ValueOverride* specific = find_override(scheme_, name(id));
  if (specific != nullptr && specific->enabled && !*specific->enabled) return text_of(Cause::kDisabled);
  if (specific != nullptr && specific->known) return std::nullopt;
  if (measured == nullptr) return text_of(Cause::kUnseen);
  if (measured->non_finite != 0) return text_of(Cause::kNotFinite, {std::to_string(measured->non_finite)});
  if (measured->ranges.empty()) return text_of(Cause::kNoRange);
  return std::nullopt;
}

/// Range, scale and zero point of one value by itself, or why it stays float.
PlannedValue OwnValues::decide(ValueId id) const {
  PlannedValue value;
  value.source = id;
  if (const FloatReason reason = range_reason(id)) {
    value.reason = *reason;
    return value;
  }
  const ValueRange* measured = ranges_.find(name(id));
  const ValueOverride* specific = find_override(scheme_, name(id));
  if (specific != nullptr && specific->known) {
    value.params = known_params(id, *specific->known);
    value.reason = text_of(Cause::kKnown);
    fix_output(id, value);
    value.range = held_range(*value.params, 0);
    return value;
  }

  // The largest of the results are what is read of them: they are not clipped to spare the others some
  // rounding.
  const bool whole = is_result(id) && specific == nullptr && !measured->channel_ranges.empty();
  const bool fine = bits_.of_value(id) == 16 && measured->range16;
  const std::vector<Range> seen = whole  ? measured->channel_ranges
                                  : fine ? std::vector{*measured->range16}
                                         : measured->ranges;
  for (const Range& range : seen)
    value.range = {std::min(value.range.min, range.min), std::max(value.range.max, range.max)};
  value.reason = whole ? text_of(Cause::kWholeResult) : text_of(Cause::kMethod, {measured->method});
  if (specific != nullptr) {
    value.range = overridden_range(value.range, *specific);
    value.reason = text_of(Cause::kOverridden, {value.reason});
  }
  value.candidates = measured->candidates;
  value.params = choose_quant_params({value.range}, type_of(id));
  fix_output(id, value);
  const FloatReason noise = noise_reason(id, *value.params);
  if (!noise) return value;
  if (has_channel_scales(id)) {
    value.params = choose_channel_params(measured->channel_ranges, type_of(id));
    value.reason = text_of(Cause::kByChannel, {*noise});
    return value;
  }
  value.params.reset();
  value.reason = *noise;
  return value;
}

/// A known scale for the type that the value is to have. Reals that the clamp before the value never lets through need
/// no codes where the type can do without: symmetric scales of others have them all the same.
QuantParams OwnValues::known_params(ValueId id, const QuantParams& known) const {
  const QuantType type = type_of(id);
  const NodeId producer = index_.producer(id);
  const auto clamp = producer == kNoNode
                         ? std::nullopt
                         : constant_clamp(graph_, graph_.nodes[static_cast<size_t>(producer)]);
  if (!clamp || type.symmetric || !known.per_tensor() || !cuts_codes(*clamp, known))
    return params_of_type(known, type);
  const Range held = held_range(known, 0);
  return choose_quant_params(
      {{std::clamp(clamp->low, held.min, 0.0f), std::clamp(clamp->high, 0.0f, held.max)}}, type);
}

QuantParams OwnValues::in_bits(const PlannedValue& value, ValueId id, int bits) const {
  return choose_quant_params({value.range}, activation_type(scheme_, name(id), bits));
}

const PlannedValue& OwnValues::of(ValueId id) {
  std::optional<PlannedValue>& value = own_[static_cast<size_t>(id)];
  if (!value) value = with_context([&] { return "value '" + name(id) + "'"; }, [&] { return decide(id); });
  return *value;
}

/// The scale that the target gives the value, if it gives it one.
void OwnValues::fix_output(ValueId id, PlannedValue& value) const {
  const NodeId producer = index_.producer(id);
  const FixedOutput* fixed =
      producer == kNoNode
          ? nullptr
          : target_.find_fixed(graph_.nodes[static_cast<size_t>(producer)], type_of(id).dtype);
  if (fixed == nullptr) return;
  value.is_fixed = true;
  value.params->scale = {fixed->scale};
  value.params->zero_point = {fixed->zero_point};
  value.reason = text_of(Cause::kFixed, {target_.name, fixed->op_type});
}

/// True if the target can hold the value with a scale per channel: an operator that can write them makes it,
/// and only such as can read them read it.
bool OwnValues::has_channel_scales(ValueId id) const {
  const QuantType type = type_of(id);
  const ValueRange* measured = ranges_.find(name(id));
  const ChannelScales* scales = target_.channel_scales;
  if (scales == nullptr || type.dtype != scales->codes || type.num_bits != 8 || is_result(id) ||
      find_override(scheme_, name(id)) != nullptr || measured->channel_ranges.empty() ||
      measured->channel_axis != 1)
    return false;
  NodeId before = index_.producer(id);
  if (before != kNoNode && chains_.before(before) != kNoNode) before = chains_.before(before);
  if (before == kNoNode || !scales->writes(graph_, graph_.nodes[static_cast<size_t>(before)]) ||
      !candidates_[static_cast<size_t>(before)] || chains_.of(before).addition)
    return false;
  return std::all_of(index_.uses(id).begin(), index_.uses(id).end(), [&](const GraphIndex::Use& use) {
    return use.input == 0 && candidates_[static_cast<size_t>(use.node)] &&
           scales->reads(graph_, graph_.nodes[static_cast<size_t>(use.node)]);
  });
}

}  // namespace quantize
