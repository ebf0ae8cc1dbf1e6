#include "core/quantization/quantize_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"

namespace quantize {

namespace {

constexpr double kMaxBiasCodes = 1 << 30;

/// The type of weights, changed by what one weight tensor is told.
QuantType weight_type(const WeightForm& form, const ValueOverride* specific) {
  QuantType type = form.type;
  if (specific == nullptr) return type;
  if (specific->num_bits && *specific->num_bits > 8)
    throw Error(ErrorKind::kInvalidArgument,
                "weights are held in 8 bits or fewer; give 'num_bits' from 2 to 8");
  if (specific->num_bits) type.num_bits = *specific->num_bits;
  if (specific->narrow_range) type.narrow_range = *specific->narrow_range;
  if (specific->is_unsigned && *specific->is_unsigned != (type.dtype == DataType::kU8))
    throw Error(ErrorKind::kInvalidArgument,
                "weights are held as " + std::string(name_of(type.dtype)) + "; leave out 'unsigned'");
  if (specific->symmetric && !*specific->symmetric)
    throw Error(ErrorKind::kInvalidArgument,
                "weights have their zero point in the middle; leave out 'symmetric'");
  check_weight_type(type);
  return type;
}

bool per_channel(const WeightLayout& layout, size_t rank, const WeightForm& form,
                 const ValueOverride* specific) {
  const bool divides = layout.groups == 1 || layout.channel_axis == 0;
  const bool possible = divides && form.takes_per_channel;
  if (specific == nullptr || !specific->axis)
    return possible &&
           (specific == nullptr ? form.per_channel : specific->per_channel.value_or(form.per_channel));
  const int64_t axis = *specific->axis + (*specific->axis < 0 ? static_cast<int64_t>(rank) : 0);
  if (!possible || axis != static_cast<int64_t>(layout.channel_axis))
    throw Error(ErrorKind::kInvalidArgument,
                "these weights cannot have a scale per extent of axis " + std::to_string(*specific->axis) +
                    (possible   ? "; their output channels are axis " + std::to_string(layout.channel_axis)
                     : !divides ? "; their groups share the axis of output channels"
                                : "; the target takes one scale for all weights of this operator"));
  return true;
}

/// Extremes of the weights, per output channel or of all.
std::vector<Range> weight_ranges(const Tensor& weights, const WeightLayout& layout, bool channels,
                                 const ValueOverride* specific) {
  std::vector<Range> ranges(channels ? static_cast<size_t>(layout.output_channels()) : 1);
  for (int64_t o = 0; o < layout.output_channels(); ++o) {
    Range& kept = ranges[channels ? static_cast<size_t>(o) : 0];
    Range range = kept;
    const float* const first = weights.data<float>() + layout.offset(o, 0);
    for (int64_t i = 0; i < layout.inputs; ++i)
      for (int64_t t = 0; t < layout.taps; ++t) {
        const float w = first[i * layout.input_stride + t];
        range = {std::min(range.min, w), std::max(range.max, w)};
      }
    kept = range;
  }
  if (specific != nullptr)
    for (Range& range : ranges) range = overridden_range(range, *specific);
  return ranges;
}

double squared_error(const Tensor& weights, const QuantParams& params) {
  const Tensor rounded = dequantize_tensor(quantize_tensor(weights, params), params);
  double sum = 0;
  for (int64_t i = 0; i < weights.size(); ++i) {
    const double error = double{weights.data<float>()[i]} - double{rounded.data<float>()[i]};
    sum += error * error;
  }
  return sum;
}

/// Lowers a scale that is a power of two to a smaller one while the weights lose less by being cut off than by steps
/// twice as wide. Requires: one scale.
void fit_power(const Tensor& weights, QuantParams& params) {
  for (double error = squared_error(weights, params);;) {
    QuantParams finer = params;
    finer.scale[0] /= 2;
    const double next = squared_error(weights, finer);
    if (!(next < error)) return;
    params = std::move(finer);
    error = next;
  }
}

/// The parameters that hold what the weights are.
QuantParams measured_params(const Tensor& weights, const WeightLayout& layout, const WeightForm& form,
                            const ValueOverride* specific) {
  const bool channels = per_channel(layout, weights.shape().size(), form, specific);
  const std::vector<Range> ranges = weight_ranges(weights, layout, channels, specific);
  QuantParams params =
      choose_quant_params(ranges, weight_type(form, specific),
                          channels ? std::optional<int64_t>(layout.channel_axis) : std::nullopt);
  const auto dead = [&](size_t c) { return ranges[c].min == 0 && ranges[c].max == 0; };
  float largest = 0;
  for (size_t c = 0; c < ranges.size(); ++c)
    if (!dead(c)) largest = std::max(largest, params.scale[c]);
  for (size_t c = 0; c < ranges.size(); ++c)
    if (dead(c) && largest > 0) params.scale[c] = largest;
  if (form.type.power_of_two && !channels && specific == nullptr && !dead(0)) fit_power(weights, params);
  return params;
}

/// Parameters that were given, for weights of this type: one scale, or one per output channel where the operator takes
/// that.
QuantParams known_params(QuantParams known, const WeightLayout& layout, const WeightForm& form,
                         const QuantType& type) {
  const auto channels = static_cast<size_t>(layout.output_channels());
  if (known.scale.size() != 1 && known.scale.size() != channels)
    throw Error(ErrorKind::kInvalidArgument, "the " + std::to_string(known.scale.size()) +
                                                 " scales that are given do not fit its " +
                                                 std::to_string(channels) + " output channels");
  if (!form.takes_per_channel && known.scale.size() > 1) {
    const auto widest = std::max_element(known.scale.begin(), known.scale.end());
    known.zero_point = {known.zero_point[static_cast<size_t>(widest - known.scale.begin())]};
    known.scale = {*widest};
  }
  known.axis = known.scale.size() == 1 ? std::nullopt : std::optional<int64_t>(layout.channel_axis);
  return params_of_type(known, type);
}

}  // namespace

void check_weight_type(const QuantType& type) {
  if (type.dtype == DataType::kU8 && type.num_bits < 8)
    throw Error(ErrorKind::kInvalidArgument,
                "weights of fewer than 8 bits are held as s8, not as u8; leave out the u8 type of weights, "
                "or ask for 8 bits");
}

float bias_scale(const QuantParams& weights, const QuantParams& input, size_t channel) {
  return input.scale_of(channel) * weights.scale_of(channel);
}

WeightForm weight_form(const QuantizationScheme& scheme, const IntegerOperator* by) {
  const bool can = by == nullptr || by->channel_weights;
  return {scheme.weights, scheme.per_channel_weights && can, can};
}

void check_weight_override(const Tensor& weights, const WeightLayout& layout, const WeightForm& form,
                           const ValueOverride& specific) {
  if (specific.method)
    throw Error(ErrorKind::kInvalidArgument, "weights take their own extremes; leave out 'method'");
  weight_type(form, &specific);
  weight_ranges(weights, layout, per_channel(layout, weights.shape().size(), form, &specific), &specific);
}

QuantParams choose_weight_params(const Tensor& weights, const WeightLayout& layout,
                                 const std::vector<double>& bias, const QuantParams& input,
                                 const WeightForm& form, const ValueOverride* specific) {
  if (specific != nullptr) check_weight_override(weights, layout, form, *specific);
  const QuantType type = weight_type(form, specific);
  QuantParams params = specific != nullptr && specific->known
                           ? known_params(*specific->known, layout, form, type)
                           : measured_params(weights, layout, form, specific);
  const bool channels = !params.per_tensor();
  constexpr float kNormal = std::numeric_limits<float>::min();
  const float least = std::min(1.0f, *std::min_element(input.scale.begin(), input.scale.end()));
  for (float& scale : params.scale) scale = std::max(scale, 2 * kNormal / least);
  for (size_t o = 0; o < bias.size(); ++o) {
    float& scale = params.scale[channels ? o : 0];
    const double needed = std::abs(bias[o]) / (double{input.scale_of(o)} * kMaxBiasCodes);
    if (scale < needed) scale = std::nextafter(static_cast<float>(needed), std::numeric_limits<float>::max());
  }
  if (type.power_of_two)
    for (float& scale : params.scale) scale = next_power_of_two(scale);
  return params;
}

}  // namespace quantize
