// norm tweaking: mean and variance of each channel of a layer's output are made those of the float network.
#include <algorithm>
#include <cmath>
#include <optional>

#include "calibration/search/layer_walk.h"
#include "calibration/search/plan_maker.h"
#include "core/engine/engine.h"
#include "core/parallel.h"
#include "core/quantization/bias_correction.h"

namespace quantize {

namespace {

constexpr const char* kName = "norm tweaking";
constexpr size_t kSamples = 16;  // both networks see the same ones, so that their choice cancels out

/// Mean and variance of each channel of a layer's output, over samples and positions.
struct ChannelMoments {
  std::vector<double> mean, variance;
};

/// Adds up the moments of single samples, each in a place of its own: threads do not show.
class MomentSums {
 public:
  MomentSums(const WeightLayout& layout, size_t samples)
      : layout_(layout),
        channels_(static_cast<size_t>(layout.output_channels())),
        samples_(samples, {0, std::vector<double>(channels_), std::vector<double>(channels_)}) {}

  void take(size_t sample, const TensorView& y) {
    const size_t axis = layout_.input_axis == 1 ? 1 : y.shape.size() - 1;
    size_t inner = 1;
    for (size_t i = axis + 1; i < y.shape.size(); ++i) inner *= static_cast<size_t>(y.shape[i]);
    Sums& sums = samples_[sample];
    sums = {static_cast<double>(y.size()) / static_cast<double>(channels_), std::vector<double>(channels_),
            std::vector<double>(channels_)};
    const auto* at = y.as<float>();
    for (size_t row = 0; row < static_cast<size_t>(y.size()) / inner; ++row, at += inner) {
      double sum = 0, squares = 0;
      for (size_t i = 0; i < inner; ++i) {
        sum += double{at[i]};
        squares += double{at[i]} * double{at[i]};
      }
      sums.sum[row % channels_] += sum;
      sums.squares[row % channels_] += squares;
    }
  }

  /// Nothing for an output that has no element on any sample: where its extent depends on data.
  std::optional<ChannelMoments> moments() const {
    ChannelMoments result{std::vector<double>(channels_), std::vector<double>(channels_)};
    double count = 0;
    for (const Sums& sums : samples_) count += sums.count;
    if (count == 0) return std::nullopt;
    for (size_t c = 0; c < channels_; ++c) {
      for (const Sums& sums : samples_) {
        result.mean[c] += sums.sum[c] / count;
        result.variance[c] += sums.squares[c] / count;
      }
      result.variance[c] = std::max(result.variance[c] - result.mean[c] * result.mean[c], 0.0);
    }
    return result;
  }

 private:
  struct Sums {
    double count = 0;  // of positions
    std::vector<double> sum, squares;
  };

  WeightLayout layout_;
  size_t channels_;
  std::vector<Sums> samples_;
};

/// Listens to the layers' outputs in the float network, for one sample.
class ExactMoments : public ExecutionObserver {
 public:
  ExactMoments(const LayerWalk& walk, std::vector<MomentSums>& sums, size_t sample)
      : walk_(walk), sums_(sums), sample_(sample) {}
  void on_value(ValueId id, const TensorView& value) override {
    for (size_t i = 0; i < walk_.layers(); ++i)
      if (walk_.node(i).outputs[0] == id) sums_[i].take(sample_, value);
  }

 private:
  const LayerWalk& walk_;
  std::vector<MomentSums>& sums_;
  size_t sample_;
};

std::vector<MomentSums> exact_moments(const LayerWalk& walk, int threads) {
  std::vector<bool> keep(walk.graph().values.size(), false);
  std::vector<MomentSums> sums;
  for (size_t i = 0; i < walk.layers(); ++i) {
    keep[static_cast<size_t>(walk.node(i).outputs[0])] = true;
    sums.emplace_back(walk.layout(i), walk.samples().size());
  }
  Engine engine(walk.graph(), {.kernels = &walk.kernels(), .keep = keep});
  parallel_for(walk.samples().size(), threads, [&](size_t s, int) {
    ExactMoments observer(walk, sums, s);
    engine.run(walk.samples()[s], &observer);
  });
  return sums;
}

/// The factor of each scale: the deviation that the channels of that scale have over the one that they got. A channel
/// that hardly varies, or that rounding has changed beyond recognition, keeps its scale.
std::vector<double> factors_of(size_t scales, const ChannelMoments& exact, const ChannelMoments& quantized) {
  constexpr double kMost = 1.5;
  std::vector<double> factors(scales, 1.0);
  for (size_t i = 0; i < scales; ++i) {
    double wanted = 0, found = 0;
    for (size_t c = i; c < exact.mean.size(); c += scales) {
      wanted += exact.variance[c];
      found += quantized.variance[c];
    }
    const double factor = std::sqrt(wanted / found);
    if (factor < kMost && factor > 1 / kMost) factors[i] = factor;
  }
  return factors;
}

/// The layer with outputs of these moments in the quantized network, so that it has those of the float network:
///
///   scale = factor * scale,   shift(c) = exact mean(c) - factor * quantized mean(c),   both without the bias
PlannedWeights tweaked(const LayerWalk& walk, size_t layer, ChannelMoments exact, ChannelMoments quantized) {
  PlannedWeights weights = walk.planned(layer);
  const bool has_bias = walk.node(layer).input(2) != kNoValue, adds_bias = walk.adds_bias(layer);
  for (size_t c = 0; c < exact.mean.size(); ++c) {
    if (has_bias) exact.mean[c] -= weights.bias[c] - weights.shift[c];
    if (adds_bias) quantized.mean[c] -= weights.bias[c];
  }
  const size_t scales = weights.params.scale.size();
  const std::vector<double> factors = factors_of(scales, exact, quantized);
  multiply_scales(weights, walk.weights(layer), factors);
  std::vector<double> shift;
  for (size_t c = 0; c < exact.mean.size(); ++c)
    shift.push_back(exact.mean[c] - factors[c % scales] * quantized.mean[c]);
  set_shift(weights, std::move(shift));
  return weights;
}

/// Layer by layer, since what a layer computes changes the inputs of those behind it.
void tweak(PlanMaker& maker, const Recipe&, PlannedModel& planned) {
  LayerWalk walk(planned, maker.options());
  const size_t count = std::min(maker.fitted_count(), kSamples);
  if (walk.layers() == 0 || !walk.load(count, maker.loader(count))) return;
  const std::vector<MomentSums> exact = exact_moments(walk, maker.options().threads);
  for (size_t i = 0; i < walk.layers(); ++i) {
    walk.enter(i);
    MomentSums quantized(walk.layout(i), walk.samples().size());
    walk.compute_output(i, [&](size_t s, const Tensor& y) { quantized.take(s, y.view()); });
    const auto wanted = exact[i].moments(), found = quantized.moments();
    if (wanted && found) walk.replace(i, tweaked(walk, i, *wanted, *found));
  }
}

std::optional<Variation> vary(SearchState& state) {
  const QuantizationScheme& scheme = state.maker.scheme();
  if (scheme.bias_correction != BiasCorrection::kMeasured || scheme.weights.power_of_two) return std::nullopt;
  // The float network runs once, the quantized one once to go on and once for the layers' outputs.
  const uint64_t samples = std::min(state.maker.fitted_count(), kSamples);
  const uint64_t macs = 3 * samples * macs_of(state.planned.graph);
  if (macs > state.maker.budget().macs) {
    state.left_out.push_back({kName, "", 0, macs});
    return std::nullopt;
  }
  Recipe recipe = state.recipe;
  recipe.bias_correction = std::max(recipe.bias_correction, BiasCorrection::kClosedForm);
  recipe.adjustments.push_back({kName, tweak});
  return Variation{recipe};
}

}  // namespace

void add_norm_tweaking(std::vector<SearchStep>& steps) {
  steps.push_back({.name = kName,
                   .description = "mean and variance of each layer's channels as in the float network",
                   .least_gain = kLikelyGain,
                   .vary = vary});
}

}  // namespace quantize
