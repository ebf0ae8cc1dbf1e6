#include "calibration/search/layer_walk.h"

#include <algorithm>
#include <map>

#include "calibration/images/choose_samples.h"
#include "core/ops/op.h"
#include "core/parallel.h"
#include "core/quantization/insert_qdq.h"

namespace quantize {

namespace {

std::vector<Shape> shapes_of(const std::vector<Tensor>& sample) {
  std::vector<Shape> shapes;
  shapes.reserve(sample.size());
  for (const Tensor& tensor : sample) shapes.push_back(tensor.shape());
  return shapes;
}

}  // namespace

std::vector<NodeId> corrected_layers(const QuantizationPlan& plan) {
  std::vector<NodeId> layers;
  for (size_t n = 0; n < plan.nodes.size(); ++n)
    if (plan.nodes[n].weights && !plan.nodes[n].weights->shift.empty())
      layers.push_back(static_cast<NodeId>(n));
  return layers;
}

LayerWalk::LayerWalk(PlannedModel& planned, const CalibrateOptions& options)
    : graph_(planned.graph),
      plan_(planned.plan),
      options_(options),
      kernels_(options.kernels == nullptr ? best_kernels() : *options.kernels),
      qdq_(insert_qdq(planned)),
      index_(qdq_) {
  std::map<std::string, size_t> positions;
  for (size_t n = 0; n < qdq_.nodes.size(); ++n) positions[qdq_.nodes[n].name] = n;
  for (const NodeId n : corrected_layers(plan_))
    layers_.push_back({n, positions.at(graph_.nodes[static_cast<size_t>(n)].name)});
}

WeightLayout LayerWalk::layout(size_t layer) const {
  return *find_op(graph_, node(layer)).weight_layout(node(layer), weights(layer).shape());
}

bool LayerWalk::load(size_t count, const SampleLoader& load) {
  std::vector<size_t> positions{0};
  positions.reserve(layers_.size() + 1);
  for (const Layer& layer : layers_) positions.push_back(layer.position);
  const auto bytes = StagedRun::bytes_at(qdq_, positions);
  const uint64_t most = std::min<uint64_t>(kWalkedBytes, options_.budget.bytes);
  const size_t fitting = bytes ? most / std::max<size_t>(*bytes, 1) : kWalkedSamplesOfAnyShape;
  const size_t wanted = std::min(std::clamp<size_t>(fitting, 1, kWalkedSamples), count);
  samples_.assign(wanted, {});
  const std::vector<size_t> chosen = spread_evenly(wanted, count);
  parallel_for(wanted, options_.threads, [&](size_t i, int) {
    if (auto sample = load(chosen[i])) samples_[i] = std::move(*sample);
  });
  std::erase_if(samples_, [](const std::vector<Tensor>& sample) { return sample.empty(); });
  if (samples_.empty()) return false;
  const std::vector<Shape> shapes = shapes_of(samples_[0]);
  std::erase_if(samples_, [&](const std::vector<Tensor>& sample) { return shapes_of(sample) != shapes; });
  run_.emplace(qdq_, kernels_, options_.threads, samples_);
  return true;
}

bool LayerWalk::replace(size_t layer, PlannedWeights weights) {
  const QuantParams& input = input_params(layer);
  const bool fits = bound_of_sums(weights, this->weights(layer), layout(layer), input).fits();
  PlannedWeights& planned = *plan_.nodes[static_cast<size_t>(id(layer))].weights;
  if (fits) planned = std::move(weights);
  replace_weights(qdq_, index_, quantized_node(layer), planned, input);
  return fits;
}

}  // namespace quantize
