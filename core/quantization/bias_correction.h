// The shift of a layer's mean that quantization causes, and the bias that takes it back.
#pragma once

#include <string>
#include <vector>

#include "core/graph.h"
#include "core/ops/weight_layout.h"
#include "core/quant_params.h"
#include "core/quantization/plan.h"
#include "core/range_table.h"

namespace quantize {

/// The mean of every input that a layer multiplies: per input channel and tap, or per channel alone if all
/// taps see the same.
struct InputMeans {
  size_t taps = 1;
  std::vector<double> mean;  // [channel * taps + tap]; empty: not known

  bool fits(const WeightLayout& layout) const;
  double at(int64_t channel, int64_t tap) const {
    return mean[static_cast<size_t>(channel) * taps + (taps == 1 ? 0 : static_cast<size_t>(tap))];
  }
};

/// The measured means of the input of a node with weights: those of its taps, zeros of the padding included,
/// if there are any and they fit; else those of its channels, if they lie along the axis that the node
/// multiplies; else none.
InputMeans input_means(const Graph& graph, const Node& node, const WeightLayout& layout,
                       const RangeTable& measured);

/// The correction of each output channel's bias, with which the channel's mean over the calibration samples
/// equals that of the layer with exact weights and exact inputs:
///
///   shift(o) = uses * sum over i, t of (w(o, i, t) * E[x(i, t)] - w'(o, i, t) * E[x'(i, t)])
///
/// w are the exact weights and x the input of the float network; w' are the dequantized weights and x' the
/// input of the quantized network. With x' = x only the rounding of the weights is corrected: the closed
/// form. Empty if either mean is not known.
///
/// Shapes:   weights as `layout` describes them; result one per output channel.
/// Accuracy: double throughout.
/// Source:   Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction (2019), with
///           measured means.
std::vector<double> bias_shift(const Tensor& weights, const PlannedWeights& planned,
                               const WeightLayout& layout, const InputMeans& exact,
                               const InputMeans& quantized);

/// The same for weights whose rounded form is known in reals, and an input that stays what it is.
std::vector<double> shift_of_rounding(const Tensor& weights, const Tensor& rounded,
                                      const WeightLayout& layout, const InputMeans& means);

/// Multiplies the scales of weights, one factor each; their codes stay. Requires: factors > 0 and finite.
void multiply_scales(PlannedWeights& planned, const Tensor& weights, const std::vector<double>& factors);

/// Replaces the correction in a layer's planned bias by another one; an empty one changes nothing.
void set_shift(PlannedWeights& weights, std::vector<double> shift);

}  // namespace quantize
