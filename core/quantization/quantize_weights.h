// Scales of weights and biases.
#pragma once

#include <vector>

#include "core/graph.h"
#include "core/ops/weight_layout.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"

namespace quantize {

/// How the weights of one operator are held.
struct WeightForm {
  QuantType type;
  bool per_channel = true;        // where an override says nothing else
  bool takes_per_channel = true;  // the operator does
};

/// As the scheme says and the operator of the target can; nullptr: any operator.
WeightForm weight_form(const QuantizationScheme& scheme, const IntegerOperator* by = nullptr);

/// Errors: Error(kInvalidArgument) for u8 of fewer than 8 bits, whose zero point is not 128: kernels of
/// integers take that one alone.
void check_weight_type(const QuantType& type);

/// Scale of the s32 bias of output channel o: the float product of the scales of input and weights, as
/// runtimes compute it. The input has one, or one per output channel where a convolution is depthwise.
float bias_scale(const QuantParams& weights, const QuantParams& input, size_t channel);

/// Errors: Error(kInvalidArgument) for what `specific` asks for and these weights, f32 and laid out as
/// `layout` says, cannot have: a type, an axis, a range without extent, a method (weights take their own
/// extremes).
void check_weight_override(const Tensor& weights, const WeightLayout& layout, const WeightForm& form,
                           const ValueOverride& specific);

/// Scales for constant weights, symmetric around 0: per output channel along layout.channel_axis, or one for
/// all if the form says so or groups share the axis (ConvTranspose).
///
/// A scale is the largest weight / 127 (fewer codes for fewer bits), but never so small that the channel's
/// bias would need more than 2^30 codes, which leaves the other half of s32 to the products, nor that a bias
/// scale is no normal float. A channel without weights takes the largest scale of the others.
///
/// Requires: weights f32, finite, laid out as `layout` says; bias empty or one per output channel;
/// `input` as bias_scale. Errors: those of check_weight_override.
QuantParams choose_weight_params(const Tensor& weights, const WeightLayout& layout,
                                 const std::vector<double>& bias, const QuantParams& input,
                                 const WeightForm& form, const ValueOverride* specific);

}  // namespace quantize
