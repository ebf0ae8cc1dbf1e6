// The shift of a layer's mean that rounding its weights causes, in closed form.
#pragma once

#include <vector>

#include "core/quant_params.h"
#include "core/quantization/range_table.h"
#include "core/weight_layout.h"

namespace quantize {

/// What has to be added to the bias of each output channel so that its mean over the calibration samples is
/// that of the layer with exact weights:
///
///   shift(o) = uses * sum over i, t of (w(o, i, t) - dequantized w(o, i, t)) * E[x(i, t)]
///
/// E[x] comes from `taps`, which counts the zeros of padding, where it has the layout's taps; else every tap
/// sees `means`, one per input channel. Empty if neither fits.
///
/// Shapes:   weights as `layout` describes them; result one per output channel. Accuracy: double throughout.
/// Source:   Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction (2019),
/// with
///           measured means.
std::vector<double> bias_shift(const Tensor& weights, const QuantParams& params, const WeightLayout& layout,
                               const TapMeans* taps, const std::vector<double>& means);

}  // namespace quantize
