// A walk over the layers of a plan: each is seen on samples with everything before it quantized, changed, and left.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "calibration/search/staged_run.h"
#include "calibration/statistics/calibrate.h"
#include "core/ops/weight_layout.h"
#include "core/quantization/plan.h"

namespace quantize {

/// The layers with a correction of their bias, in the order in which they are computed.
std::vector<NodeId> corrected_layers(const QuantizationPlan& plan);

/// Walks over the corrected_layers of a plan. Every layer runs once per sample: the values between them are kept in
/// memory. Layers are numbered from 0. Nothing depends on the number of threads.
class LayerWalk {
 public:
  /// `planned` and what `options` points to must outlive the walk.
  LayerWalk(PlannedModel& planned, const CalibrateOptions& options);

  size_t layers() const { return layers_.size(); }
  NodeId id(size_t layer) const { return layers_[layer].node; }
  const Graph& graph() const { return graph_; }
  const KernelTable& kernels() const { return kernels_; }
  const Node& node(size_t layer) const { return graph_.nodes[static_cast<size_t>(id(layer))]; }
  const PlannedWeights& planned(size_t layer) const {
    return *plan_.nodes[static_cast<size_t>(id(layer))].weights;
  }
  /// The weights as the float network has them.
  const Tensor& weights(size_t layer) const { return *graph_.constant(node(layer).inputs[1]); }
  WeightLayout layout(size_t layer) const;
  /// The parameters of the layer's input.
  const QuantParams& input_params(size_t layer) const {
    return params_read_by(plan_, plan_.nodes[static_cast<size_t>(id(layer))], node(layer).inputs[0]);
  }
  /// True if the layer itself adds its bias in the quantized network, so that its output holds it.
  bool adds_bias(size_t layer) const { return quantized_node(layer).input(2) != kNoValue; }

  /// Loads up to kWalkedSamples samples, evenly spread over `count`, fewer where what is kept of them would exceed
  /// kWalkedBytes or the budget (kWalkedSamplesOfAnyShape if shapes are unknown); all of the first one's shape. Returns
  /// false if none can be used. Errors: those of the loader.
  bool load(size_t count, const SampleLoader& load);
  const std::vector<std::vector<Tensor>>& samples() const { return samples_; }

  /// Runs up to a layer. Requires: load returned true; layers do not decrease. Errors: those of Engine::run.
  void enter(size_t layer) { run_->advance_to(layers_[layer].position); }
  /// The codes that the layer reads of one sample. Requires: it was entered.
  const Tensor& codes(size_t layer, size_t sample) const {
    return run_->value(sample, quantized_node(layer).inputs[0]);
  }
  /// Computes the layer's output, real numbers before any rounding, and hands that of each sample over, from several
  /// threads. Requires: it was entered. Errors: those of Engine::run.
  void compute_output(size_t layer,
                      const std::function<void(size_t sample, const Tensor& output)>& take) const {
    run_->compute(quantized_node(layer).outputs[0], take);
  }
  /// The layer gets these weights and biases, in the plan and in the network that runs on, unless its sums might leave
  /// s32. Returns whether it does.
  bool replace(size_t layer, PlannedWeights weights);

 private:
  struct Layer {
    NodeId node;      // of the float graph
    size_t position;  // of the same node in the quantized graph
  };
  const Node& quantized_node(size_t layer) const { return qdq_.nodes[layers_[layer].position]; }

  const Graph& graph_;
  QuantizationPlan& plan_;
  const CalibrateOptions& options_;
  const KernelTable& kernels_;
  Graph qdq_;
  const GraphIndex index_;
  std::vector<Layer> layers_;
  std::vector<std::vector<Tensor>> samples_;
  std::optional<StagedRun> run_;
};

constexpr size_t kWalkedSamples = 64;
constexpr size_t kWalkedSamplesOfAnyShape = 8;
constexpr size_t kWalkedBytes = size_t{256} << 20;

}  // namespace quantize
