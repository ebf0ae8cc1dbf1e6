// Rounding weights for the least error of their layer's results, not of the weights.
#pragma once

#include <vector>

#include "core/ops/weight_layout.h"
#include "core/quant_params.h"
#include "kernels/kernel_table.h"

namespace quantize {

/// The inputs that a layer multiplies its weights with: x[(input channel * taps + tap) * rows + row], rows
/// taken from samples and output positions.
struct LayerRows {
  size_t rows = 0;
  std::vector<float> x;  // at least that many

  /// Makes room, as a rule in the memory that is there. What it held is lost.
  void resize(size_t inputs, size_t new_rows) {
    rows = new_rows;
    if (x.size() < inputs * rows) x.resize(inputs * rows);
  }
};

/// The codes of weights, each the one below or above the weight, with which the layer's results differ least
/// from those of the exact weights, apart from their mean (which the bias makes up for):
///
///   minimize over the codes  sum over rows of ((w - scale * code) . (x(row) - mean x))^2
///
/// per output channel. Weights are rounded one after the other, those of the most varying inputs first, each
/// so that it makes up for the errors before it; then coordinate descent from there and from the nearest
/// codes: one step up or down for one weight after the other, while that lowers the sum by more than rounding
/// noise, at most kFitPasses times through. The better of the two is taken. With more than kMostFactored
/// inputs there are only the nearest codes to start from. A thousandth of the mean variance is added to each
/// input's own, so that inputs that never vary keep the nearest code.
///
/// Codes further off, and smaller scales that clip the largest weights, lower the sum on these rows. Tried at
/// 4 bits, they took SqueezeNet from 77 to 38 % agreement: they clip weights whose inputs are rarely large.
///
/// Shapes:   weights as `layout` describes them, params per tensor or per output channel along
///           layout.channel_axis, s8 or u8; one zero point for all.
/// Effects:  takes their means from the rows.
/// Result:   type and shape of quantize_tensor(weights, params). The same for any number of threads;
///           levels round the sums differently.
/// Source:   the objective of Nagel et al., Up or Down? Adaptive Rounding (2020), and of Frantar et al., GPTQ
///           (2022), whose passing on of errors this is but for the neighbours it stays with.
Tensor fit_rounding(const Tensor& weights, const QuantParams& params, const WeightLayout& layout,
                    LayerRows& rows, const KernelTable& kernels, int threads);

/// The cost of fit_rounding for a layer, known before it begins: the bytes of the covariance of a group's
/// inputs, which grow with the square of their number, and the multiplications for it and for the fitted
/// channels.
struct FitCost {
  uint64_t bytes = 0, macs = 0;
};
FitCost fit_cost(const WeightLayout& layout, size_t rows);

constexpr int kFitPasses = 4;
constexpr int64_t kMostFactored = 1536;  // inputs of a group; the time grows with their cube

}  // namespace quantize
