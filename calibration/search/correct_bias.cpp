// Read BiasCorrector::run() first.
#include "calibration/search/correct_bias.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>

#include "calibration/search/layer_rows.h"
#include "calibration/search/layer_walk.h"
#include "calibration/statistics/tap_statistics.h"
#include "calibration/statistics/tensor_statistics.h"
#include "core/engine/engine.h"
#include "core/fusion/patterns.h"
#include "core/ops/support/window.h"
#include "core/parallel.h"
#include "core/quantization/bias_correction.h"

namespace quantize {

namespace {

/// Adds up, over samples, the mean of what a layer reads: per tap where taps differ, else per channel.
/// Exact, so that the order of threads does not show.
class MeanSum {
 public:
  MeanSum(const Graph& graph, const Node& layer, const KernelTable& kernels)
      : graph_(graph), layer_(layer), kernels_(kernels) {}

  TapStatistics of_sample(const TensorView& x) const {
    if (has_distinct_taps(graph_, layer_))
      return summarize_taps(x, conv_window(layer_, x.shape, *graph_.value(layer_.inputs[1]).shape), kernels_);
    TapStatistics result;
    result.taps = 1;
    result.samples = 1;
    for (const ChannelStatistics& channel : summarize_channels(x, channel_axis(x.shape.size()), kernels_))
      result.mean_sums.push_back(channel.mean_sum);
    return result;
  }
  void add(const TapStatistics& sample) { sum_.add(sample); }

  InputMeans means() const {
    InputMeans result{sum_.taps, {}};
    for (const ExactSum& sum : sum_.mean_sums)
      result.mean.push_back(sum.value() / static_cast<double>(sum_.samples));
    return result;
  }

 private:
  size_t channel_axis(size_t rank) const {
    const Shape& shape = graph_.constant(layer_.inputs[1])->shape();
    return static_cast<size_t>(find_op(graph_, layer_).weight_layout(layer_, shape)->input_axis_of(rank));
  }

  const Graph& graph_;
  const Node& layer_;
  const KernelTable& kernels_;
  TapStatistics sum_;
};

/// Listens to the float network.
class ExactMeans : public ExecutionObserver {
 public:
  void listen(ValueId input, MeanSum sum) { sums_.emplace_back(input, std::move(sum)); }

  void on_value(ValueId id, const TensorView& value) override {
    for (auto& [input, sum] : sums_) {
      if (input != id) continue;
      const TapStatistics sample = sum.of_sample(value);
      const std::lock_guard lock(mutex_);
      sum.add(sample);
    }
  }
  InputMeans means(size_t layer) const { return sums_[layer].second.means(); }

 private:
  std::vector<std::pair<ValueId, MeanSum>> sums_;  // per layer
  std::mutex mutex_;
};

class BiasCorrector {
 public:
  BiasCorrector(PlannedModel& planned, BiasCorrection correction, WeightRounding rounding,
                const CalibrateOptions& options)
      : walk_(planned, options),
        measures_(correction == BiasCorrection::kMeasured),
        fits_(rounding == WeightRounding::kFitted),
        options_(options) {
    if (fits_)
      for (const TooCostly& layer : too_costly_to_fit(planned, options.budget))
        too_costly_.insert(layer.node);
  }

  void run(size_t count, const SampleLoader& load) {
    bool changes = false;
    for (size_t i = 0; i < walk_.layers(); ++i) changes = changes || measures_ || fits(i);
    if (!changes || !walk_.load(count, load)) return;
    if (measures_) measure_exact();
    for (size_t i = 0; i < walk_.layers(); ++i) {
      walk_.enter(i);
      PlannedWeights weights = walk_.planned(i);
      std::optional<InputMeans> means;
      if (fits(i)) means = fit(i, weights);
      if (measures_)
        correct(i, weights, exact_.means(i), measure(i));
      else if (means)
        correct(i, weights, *means, *means);
      if (options_.progress) options_.progress(walk_.samples().size() + i + 1);
    }
  }

 private:
  void measure_exact();
  InputMeans measure(size_t layer) const;
  /// True if the layer's weights are to be rounded anew.
  bool fits(size_t layer) const {
    return fits_ && !walk_.planned(layer).codes && has_rows(walk_.layout(layer)) &&
           !too_costly_.contains(walk_.id(layer));
  }
  InputMeans fit(size_t layer, PlannedWeights& weights);
  void correct(size_t layer, PlannedWeights weights, const InputMeans& exact, const InputMeans& quantized);

  LayerWalk walk_;
  const bool measures_, fits_;
  const CalibrateOptions& options_;
  std::set<NodeId> too_costly_;
  LayerRows rows_;  // of one layer after the other, in the same memory
  ExactMeans exact_;
};

void BiasCorrector::measure_exact() {
  const Graph& graph = walk_.graph();
  std::vector<bool> keep(graph.values.size(), false);
  for (size_t i = 0; i < walk_.layers(); ++i) {
    const ValueId input = walk_.node(i).inputs[0];
    keep[static_cast<size_t>(input)] = true;
    exact_.listen(input, MeanSum(graph, walk_.node(i), walk_.kernels()));
  }
  Engine engine(graph, {.kernels = &walk_.kernels(), .keep = keep});
  std::mutex mutex;
  size_t done = 0;
  parallel_for(walk_.samples().size(), options_.threads, [&](size_t s, int) {
    engine.run(walk_.samples()[s], &exact_);
    const std::lock_guard lock(mutex);
    if (options_.progress) options_.progress(++done);
  });
}

/// The mean of what the layer reads in the quantized network.
InputMeans BiasCorrector::measure(size_t layer) const {
  MeanSum sum(walk_.graph(), walk_.node(layer), walk_.kernels());
  std::mutex mutex;
  parallel_for(walk_.samples().size(), options_.threads, [&](size_t s, int) {
    const Tensor x = dequantize_tensor(walk_.codes(layer, s), walk_.input_params(layer));
    const TapStatistics sample = sum.of_sample(x.view());
    const std::lock_guard lock(mutex);
    sum.add(sample);
  });
  return sum.means();
}

/// Rounds the weights anew, for the inputs that the layer has in the quantized network. Returns their means.
InputMeans BiasCorrector::fit(size_t layer, PlannedWeights& weights) {
  const Tensor& exact = walk_.weights(layer);
  const WeightLayout layout = walk_.layout(layer);
  const QuantParams& input = walk_.input_params(layer);
  const size_t samples = walk_.samples().size(), per_sample = rows_per_sample(layout, samples);
  const auto inputs = static_cast<size_t>(layout.input_channels() * layout.taps);
  rows_.resize(inputs, per_sample * samples);
  const RowSource source{walk_.graph(), walk_.node(layer), layout, input};
  parallel_for(samples, options_.threads, [&](size_t s, int) {
    take_rows(source, walk_.codes(layer, s), s * per_sample, per_sample, rows_);
  });
  InputMeans means{static_cast<size_t>(layout.taps), {}};
  for (size_t i = 0; i < inputs; ++i)
    means.mean.push_back(walk_.kernels().minmax_sum_f32(&rows_.x[i * rows_.rows], rows_.rows).sum /
                         static_cast<double>(rows_.rows));
  weights.codes = fit_rounding(exact, weights.params, layout, rows_, walk_.kernels(), options_.threads);
  if (!bound_of_sums(weights, exact, layout, input).fits()) weights.codes.reset();
  return means;
}

/// The layer gets these weights, and the correction that they need with these means; without means or where its sums
/// might leave s32, the weights alone.
void BiasCorrector::correct(size_t layer, PlannedWeights weights, const InputMeans& exact,
                            const InputMeans& quantized) {
  const WeightLayout layout = walk_.layout(layer);
  PlannedWeights corrected = weights;
  if (exact.fits(layout) && quantized.fits(layout))
    set_shift(corrected, bias_shift(walk_.weights(layer), weights, layout, exact, quantized));
  if (!walk_.replace(layer, std::move(corrected))) walk_.replace(layer, std::move(weights));
}

}  // namespace

std::vector<TooCostly> too_costly_to_fit(const PlannedModel& planned, const Budget& budget) {
  const Graph& graph = planned.graph;
  std::vector<TooCostly> layers;
  for (const NodeId n : corrected_layers(planned.plan)) {
    const Node& node = graph.nodes[static_cast<size_t>(n)];
    const WeightLayout layout =
        *find_op(graph, node).weight_layout(node, graph.constant(node.inputs[1])->shape());
    if (!has_rows(layout)) continue;
    layers.push_back({n, fit_cost(layout, std::max(rows_per_sample(layout, 1), kWalkedSamples))});
  }
  std::stable_sort(layers.begin(), layers.end(),
                   [](const TooCostly& a, const TooCostly& b) { return a.cost.macs < b.cost.macs; });
  uint64_t macs = 0;
  std::erase_if(layers, [&](const TooCostly& layer) {
    if (layer.cost.bytes > budget.bytes || macs + layer.cost.macs > budget.macs) return false;
    macs += layer.cost.macs;
    return true;
  });
  return layers;
}

void correct_bias(PlannedModel& planned, size_t count, const SampleLoader& load, BiasCorrection correction,
                  WeightRounding rounding, const CalibrateOptions& options) {
  BiasCorrector(planned, correction, rounding, options).run(count, load);
}

}  // namespace quantize
