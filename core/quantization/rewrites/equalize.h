// Channels of one tensor brought to one size, so that they share a scale without loss: cross-layer
// equalization.
#pragma once

#include <string>
#include <vector>

#include "core/graph.h"
#include "core/quantization/scheme.h"
#include "core/range_table.h"

namespace quantize {

/// One tensor whose channels were raised.
struct EqualizedValue {
  std::string value;       // its old name
  double exponent = 0;     // by how much: 1 fills the range with every channel
  double noise_ratio = 1;  // estimated noise of what reads it, behind / before; 1 where it is not estimated
};

/// Divides channels of what a Conv, ConvTranspose or Gemm writes by factors s(c) <= 1 and multiplies the
/// weights that read them by the same, which changes nothing but the sizes of channels:
///
///   s(c) = f(c)^-exponent,  f(c) = how often the channel fits into the range of all, at least 1
///
/// Between writer and readers may stand operators that a positive factor passes through: Relu, LeakyRelu,
/// PRelu, Clip, pools, Resize, Concat along channels. A channel is raised to at most half of the tensor's
/// range, so that a Clip cuts off no element that was seen. Every path from the tensor must end in weights.
///
/// Raising a channel makes the rounding of activations matter less and that of the weights behind it more
/// (their columns differ more). For each tensor the exponent of 0, 1/4, ... 1 is taken with the least sum of
/// both, estimated from ranges, means and weights as RoundingNoise does; depthwise weights lose nothing.
///
/// With one scale per tensor of weights, a channel is made as large a share of the weights that write it as of those that
/// read it, and may be lowered, too, where twice of what was seen passes below the Clip; noise is not estimated then.
///
/// Values whose channels change get new names ("..._equalized"), since they hold other numbers. Values that
/// an override names, and their neighbours, stay as they are. Source: Nagel et al., Data-Free Quantization Through Weight
/// Equalization and Bias Correction (2019), which equalizes the ranges of weights; with scales per channel the factors
/// follow from the activations.
///
/// Requires: `ranges` with channel_ranges as seen (method max); those of axis 1 are used. Deterministic.
std::vector<EqualizedValue> equalize_channels(Graph& graph, const RangeTable& ranges,
                                              const QuantizationScheme& scheme);

}  // namespace quantize
