// Closed-form bias correction.
#include "core/quantization/bias_correction.h"

namespace quantize {

std::vector<double> bias_shift(const Tensor& weights, const QuantParams& params, const WeightLayout& layout,
                               const TapMeans* taps, const std::vector<double>& means) {
  const auto inputs = static_cast<size_t>(layout.input_channels());
  const bool by_tap = taps != nullptr && taps->taps == static_cast<size_t>(layout.taps) &&
                      taps->mean.size() == inputs * taps->taps;
  if (!by_tap && means.size() != inputs) return {};
  const Tensor rounded = dequantize_tensor(quantize_tensor(weights, params), params);
  std::vector<double> shift;
  for (int64_t o = 0; o < layout.output_channels(); ++o) {
    double sum = 0;
    for (int64_t i = 0; i < layout.inputs; ++i)
      for (int64_t t = 0; t < layout.taps; ++t) {
        const int64_t at = layout.offset(o, i) + t, channel = layout.first_input(o) + i;
        const double mean = by_tap ? taps->mean[static_cast<size_t>(channel * layout.taps + t)]
                                   : means[static_cast<size_t>(channel)];
        sum += (double{weights.data<float>()[at]} - double{rounded.data<float>()[at]}) * mean;
      }
    shift.push_back(layout.uses * sum);
  }
  return shift;
}

}  // namespace quantize
