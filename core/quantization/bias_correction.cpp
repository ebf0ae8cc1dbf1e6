#include "core/quantization/bias_correction.h"

namespace quantize {

bool InputMeans::fits(const WeightLayout& layout) const {
  return (taps == 1 || taps == static_cast<size_t>(layout.taps)) &&
         mean.size() == static_cast<size_t>(layout.input_channels()) * taps;
}

InputMeans input_means(const Graph& graph, const Node& node, const WeightLayout& layout,
                       const RangeTable& measured) {
  if (const auto found = measured.tap_means.find(graph.value(node.outputs[0]).name);
      found != measured.tap_means.end()) {
    InputMeans by_tap{found->second.taps, found->second.mean};
    if (by_tap.fits(layout)) return by_tap;
  }
  const Value& value = graph.value(node.inputs[0]);
  const ValueRange* input = measured.find(value.name);
  if (input == nullptr || !value.shape || input->channel_axis != layout.input_axis_of(value.shape->size()))
    return {};
  InputMeans by_channel{1, input->channel_mean};
  return by_channel.fits(layout) ? by_channel : InputMeans{};
}

namespace {

std::vector<double> shift_between(const Tensor& weights, const Tensor& rounded, const WeightLayout& layout,
                                  const InputMeans& exact, const InputMeans& quantized) {
  if (exact.mean.empty() || quantized.mean.empty()) return {};
  std::vector<double> shift;
  for (int64_t o = 0; o < layout.output_channels(); ++o) {
    double sum = 0;
    const int64_t first = layout.offset(o, 0), first_channel = layout.first_input(o);
    const float *const w = weights.data<float>() + first, *const r = rounded.data<float>() + first;
    for (int64_t i = 0; i < layout.inputs; ++i)
      for (int64_t t = 0; t < layout.taps; ++t) {
        const int64_t at = i * layout.input_stride + t, channel = first_channel + i;
        sum += double{w[at]} * exact.at(channel, t) - double{r[at]} * quantized.at(channel, t);
      }
    shift.push_back(layout.uses * sum);
  }
  return shift;
}

}  // namespace

std::vector<double> bias_shift(const Tensor& weights, const PlannedWeights& planned,
                               const WeightLayout& layout, const InputMeans& exact,
                               const InputMeans& quantized) {
  const Tensor rounded = dequantize_tensor(weight_codes(planned, weights), planned.params);
  return shift_between(weights, rounded, layout, exact, quantized);
}

std::vector<double> shift_of_rounding(const Tensor& weights, const Tensor& rounded,
                                      const WeightLayout& layout, const InputMeans& means) {
  return shift_between(weights, rounded, layout, means, means);
}

void multiply_scales(PlannedWeights& planned, const Tensor& weights, const std::vector<double>& factors) {
  planned.codes = weight_codes(planned, weights);
  for (size_t i = 0; i < factors.size(); ++i)
    planned.params.scale[i] = static_cast<float>(double{planned.params.scale[i]} * factors[i]);
}

void set_shift(PlannedWeights& weights, std::vector<double> shift) {
  if (shift.empty()) return;
  weights.bias.resize(shift.size(), 0.0);
  for (size_t o = 0; o < shift.size(); ++o)
    weights.bias[o] += shift[o] - (weights.shift.empty() ? 0.0 : weights.shift[o]);
  weights.shift = std::move(shift);
}

}  // namespace quantize
