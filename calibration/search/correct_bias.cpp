// Read BiasCorrector::run() first.
#include "calibration/search/correct_bias.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>

#include "calibration/search/layer_rows.h"
#include "calibration/search/staged_run.h"
#include "calibration/statistics/tap_statistics.h"
#include "calibration/statistics/tensor_statistics.h"
#include "core/engine/engine.h"
#include "core/fusion/patterns.h"
#include "core/ops/support/window.h"
#include "core/parallel.h"
#include "core/quantization/bias_correction.h"
#include "core/quantization/insert_qdq.h"

namespace quantize {

namespace {

WeightLayout layout_of(const Graph& graph, const Node& layer) {
  return *find_op(graph, layer).weight_layout(layer, graph.constant(layer.inputs[1])->shape());
}

/// A layer whose bias is corrected.
struct Layer {
  NodeId node;      // of the float graph
  size_t position;  // of the same node in the quantized graph
};

/// Adds up, over samples, the mean of what a layer reads: per tap where taps differ, else per channel.
/// Exact, so that the order of threads does not show.
class MeanSum {
 public:
  MeanSum(const Graph& graph, const Node& layer, const KernelTable& kernels)
      : graph_(graph), layer_(layer), kernels_(kernels) {}

  TapStatistics of_sample(const TensorView& x) const {
    if (has_distinct_taps(graph_, layer_))
      return summarize_taps(x, conv_window(layer_, x.shape, *graph_.value(layer_.inputs[1]).shape));
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
    return static_cast<size_t>(layout_of(graph_, layer_).input_axis_of(rank));
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
      : graph_(planned.graph),
        kernels_(options.kernels == nullptr ? best_kernels() : *options.kernels),
        measures_(correction == BiasCorrection::kMeasured),
        fits_(rounding == WeightRounding::kFitted),
        options_(options),
        plan_(planned.plan),
        qdq_(insert_qdq(planned)),
        index_(qdq_),
        layers_(find_layers()) {
    if (fits_)
      for (const TooCostly& layer : too_costly_to_fit(planned, options.budget))
        too_costly_.insert(layer.node);
  }

  void run(size_t count, const SampleLoader& load) {
    if (std::none_of(layers_.begin(), layers_.end(), [&](const Layer& l) { return measures_ || fits(l); }))
      return;
    const std::vector<std::vector<Tensor>> samples = load_samples(count, load);
    if (samples.empty()) return;
    if (measures_) measure_exact(samples);
    StagedRun quantized(qdq_, kernels_, options_.threads, samples);
    for (size_t i = 0; i < layers_.size(); ++i) {
      quantized.advance_to(layers_[i].position);
      std::optional<InputMeans> means;
      if (fits(layers_[i])) means = fit(layers_[i], quantized);
      if (measures_)
        correct(layers_[i], exact_.means(i), measure(layers_[i], quantized));
      else if (means)
        correct(layers_[i], *means, *means);
      if (options_.progress) options_.progress(samples.size() + i + 1);
    }
  }

 private:
  const Node& node(const Layer& layer) const { return graph_.nodes[static_cast<size_t>(layer.node)]; }
  const Node& quantized_node(const Layer& layer) const { return qdq_.nodes[layer.position]; }

  std::vector<Layer> find_layers() const;
  std::vector<std::vector<Tensor>> load_samples(size_t count, const SampleLoader& load) const;
  void measure_exact(const std::vector<std::vector<Tensor>>& samples);
  InputMeans measure(const Layer& layer, const StagedRun& run) const;
  /// True if the layer's weights are to be rounded anew.
  bool fits(const Layer& layer) const {
    return fits_ && !plan_.nodes[static_cast<size_t>(layer.node)].weights->codes && has_rows(node(layer)) &&
           !too_costly_.contains(layer.node);
  }
  InputMeans fit(const Layer& layer, const StagedRun& run);
  void correct(const Layer& layer, const InputMeans& exact, const InputMeans& quantized);
  /// The layer's input in the quantized network.
  const Tensor& codes(const Layer& layer, const StagedRun& run, size_t sample) const {
    return run.value(sample, quantized_node(layer).inputs[0]);
  }
  const QuantParams& params(const Layer& layer) const {
    return *plan_.values[static_cast<size_t>(node(layer).inputs[0])].params;
  }

  const Graph& graph_;
  const KernelTable& kernels_;
  const bool measures_, fits_;
  const CalibrateOptions& options_;
  QuantizationPlan& plan_;
  Graph qdq_;
  const GraphIndex index_;
  const std::vector<Layer> layers_;
  std::set<NodeId> too_costly_;
  ExactMeans exact_;
};

std::vector<Shape> shapes_of(const std::vector<Tensor>& sample) {
  std::vector<Shape> shapes;
  shapes.reserve(sample.size());
  for (const Tensor& tensor : sample) shapes.push_back(tensor.shape());
  return shapes;
}

std::vector<Layer> BiasCorrector::find_layers() const {
  std::map<std::string, size_t> positions;
  for (size_t n = 0; n < qdq_.nodes.size(); ++n) positions[qdq_.nodes[n].name] = n;
  std::vector<Layer> layers;
  for (NodeId n : corrected_layers(plan_))
    layers.push_back({n, positions.at(graph_.nodes[static_cast<size_t>(n)].name)});
  return layers;
}

std::vector<std::vector<Tensor>> BiasCorrector::load_samples(size_t count, const SampleLoader& load) const {
  std::vector<size_t> positions{0};
  positions.reserve(layers_.size() + 1);
  for (const Layer& layer : layers_) positions.push_back(layer.position);
  const auto bytes = StagedRun::bytes_at(qdq_, positions);
  const uint64_t most = std::min<uint64_t>(kBiasBytes, options_.budget.bytes);
  const size_t fitting = bytes ? most / std::max<size_t>(*bytes, 1) : kBiasSamplesOfAnyShape;
  const size_t wanted = std::min(std::clamp<size_t>(fitting, 1, kBiasSamples), count);
  std::vector<std::vector<Tensor>> samples(wanted);
  parallel_for(wanted, options_.threads, [&](size_t i, int) {
    if (auto sample = load(i * count / wanted)) samples[i] = std::move(*sample);
  });
  std::erase_if(samples, [](const std::vector<Tensor>& sample) { return sample.empty(); });
  std::erase_if(samples, [&, shapes = samples.empty() ? std::vector<Shape>{} : shapes_of(samples[0])](
                             const std::vector<Tensor>& sample) { return shapes_of(sample) != shapes; });
  return samples;
}

void BiasCorrector::measure_exact(const std::vector<std::vector<Tensor>>& samples) {
  std::vector<bool> keep(graph_.values.size(), false);
  for (const Layer& layer : layers_) {
    keep[static_cast<size_t>(node(layer).inputs[0])] = true;
    exact_.listen(node(layer).inputs[0], MeanSum(graph_, node(layer), kernels_));
  }
  Engine engine(graph_, {.kernels = &kernels_, .keep = keep});
  std::mutex mutex;
  size_t done = 0;
  parallel_for(samples.size(), options_.threads, [&](size_t s, int) {
    engine.run(samples[s], &exact_);
    const std::lock_guard lock(mutex);
    if (options_.progress) options_.progress(++done);
  });
}

/// The mean of what the layer reads in the quantized network.
InputMeans BiasCorrector::measure(const Layer& layer, const StagedRun& run) const {
  MeanSum sum(graph_, node(layer), kernels_);
  std::mutex mutex;
  parallel_for(run.samples(), options_.threads, [&](size_t s, int) {
    const Tensor x = dequantize_tensor(codes(layer, run, s), params(layer));
    const TapStatistics sample = sum.of_sample(x.view());
    const std::lock_guard lock(mutex);
    sum.add(sample);
  });
  return sum.means();
}

/// Rounds the weights anew, for the inputs that the layer has in the quantized network. Returns their means.
InputMeans BiasCorrector::fit(const Layer& layer, const StagedRun& run) {
  PlannedWeights& planned = *plan_.nodes[static_cast<size_t>(layer.node)].weights;
  const Tensor& weights = *graph_.constant(node(layer).inputs[1]);
  const WeightLayout layout = layout_of(graph_, node(layer));
  const size_t per_sample = rows_per_sample(layout, run.samples());
  LayerRows rows;
  rows.rows = per_sample * run.samples();
  rows.x.resize(rows.rows * static_cast<size_t>(layout.input_channels() * layout.taps));
  parallel_for(run.samples(), options_.threads, [&](size_t s, int) {
    take_rows(graph_, node(layer), layout, codes(layer, run, s), params(layer), s * per_sample, per_sample,
              rows);
  });
  planned.codes = fit_rounding(weights, planned.params, layout, rows, kernels_, options_.threads);
  if (!bound_of_sums(planned, weights, layout, params(layer)).fits()) planned.codes.reset();
  InputMeans means{static_cast<size_t>(layout.taps), {}};
  for (auto row = rows.x.begin(); row != rows.x.end(); row += static_cast<std::ptrdiff_t>(rows.rows))
    means.mean.push_back(std::accumulate(row, row + static_cast<std::ptrdiff_t>(rows.rows), 0.0) /
                         static_cast<double>(rows.rows));
  return means;
}

void BiasCorrector::correct(const Layer& corrected, const InputMeans& exact, const InputMeans& quantized) {
  const Node& layer = node(corrected);
  const Tensor& weights = *graph_.constant(layer.inputs[1]);
  const WeightLayout layout = layout_of(graph_, layer);
  if (!exact.fits(layout) || !quantized.fits(layout)) return;
  PlannedWeights& planned = *plan_.nodes[static_cast<size_t>(corrected.node)].weights;
  const PlannedWeights before = planned;
  set_shift(planned, bias_shift(weights, planned, layout, exact, quantized));
  if (!bound_of_sums(planned, weights, layout, params(corrected)).fits()) planned = before;
  replace_weights(qdq_, index_, quantized_node(corrected), planned, params(corrected));
}

}  // namespace

std::vector<NodeId> corrected_layers(const QuantizationPlan& plan) {
  std::vector<NodeId> layers;
  for (size_t n = 0; n < plan.nodes.size(); ++n)
    if (plan.nodes[n].weights && !plan.nodes[n].weights->shift.empty())
      layers.push_back(static_cast<NodeId>(n));
  return layers;
}

std::vector<TooCostly> too_costly_to_fit(const PlannedModel& planned, const Budget& budget) {
  const Graph& graph = planned.graph;
  std::vector<TooCostly> layers;
  for (const NodeId n : corrected_layers(planned.plan)) {
    const Node& node = graph.nodes[static_cast<size_t>(n)];
    if (!has_rows(node)) continue;
    const WeightLayout layout =
        *find_op(graph, node).weight_layout(node, graph.constant(node.inputs[1])->shape());
    layers.push_back({n, fit_cost(layout, std::max(rows_per_sample(layout, 1), kBiasSamples))});
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
