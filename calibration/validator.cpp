#include "calibration/validator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/engine/engine.h"
#include "core/op.h"
#include "core/parallel.h"

namespace quantize {

namespace {

size_t bytes_of(const std::vector<Tensor>& tensors) {
  size_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.byte_size();
  return bytes;
}

/// Probabilities are what a Softmax computes, moved or not.
OutputError::Kind kind_of(const Graph& graph, const GraphIndex& index, ValueId output) {
  for (NodeId n = index.producer(output); n != kNoNode;) {
    const Node& node = graph.nodes[static_cast<size_t>(n)];
    if (node.op_type == "Softmax" && node.domain.empty()) return OutputError::Kind::kProbabilities;
    if (find_op(graph, node).quantization != QuantizationRule::kPassThrough) break;
    n = index.producer(node.inputs[0]);
  }
  return OutputError::Kind::kNumbers;
}

}  // namespace

double Quality::sqnr_db() const {
  double worst = Deviation::kMaxDb;
  for (const Deviation& output : outputs) worst = std::min(worst, output.sqnr_db());
  return worst;
}

double Quality::agreement() const {
  return errors.empty() ? 100 : 100 * static_cast<double>(agreeing) / static_cast<double>(errors.size());
}

double Quality::drop() const {
  const double lost = static_cast<double>(reference_right) - static_cast<double>(candidate_right);
  return labelled == 0 ? 0 : 100 * lost / static_cast<double>(labelled);
}

double Quality::gain_over(const Quality& other) const {
  const auto n = static_cast<double>(errors.size());
  const auto difference = [&](size_t s) { return std::sqrt(other.errors[s]) - std::sqrt(errors[s]); };
  double mean = 0, variance = 0;
  for (size_t s = 0; s < errors.size(); ++s) mean += difference(s) / n;
  for (size_t s = 0; s < errors.size(); ++s) variance += (difference(s) - mean) * (difference(s) - mean) / n;
  if (mean == 0 || std::isnan(mean)) return 0;
  return mean / std::max(std::sqrt(variance / n), std::numeric_limits<double>::min());
}

bool Quality::spoils_a_channel_of(const Quality& other) const {
  constexpr double kMuch = 1.25, kChance = 0.2;
  const auto n = static_cast<double>(channel_errors.size());
  for (size_t c = 0; !channel_errors.empty() && c < channel_errors[0].size(); ++c) {
    double own = 0, others = 0, squares = 0;
    for (size_t s = 0; s < channel_errors.size(); ++s) {
      own += channel_errors[s][c] / n;
      others += other.channel_errors[s][c] / n;
      const double difference = channel_errors[s][c] - other.channel_errors[s][c];
      squares += difference * difference / n;
    }
    const double mean = own - others, variance = std::max(squares - mean * mean, 0.0);
    const double in_errors = mean / std::max(std::sqrt(variance / n), std::numeric_limits<double>::min());
    const double chance =
        0.5 * std::erfc(in_errors / std::sqrt(2.0)) * static_cast<double>(channel_errors[0].size());
    if (own > kMuch * others && chance < kChance) return true;
  }
  return false;
}

Validator::Validator(const Graph& graph, const std::vector<size_t>& held_back, const SampleSet& set,
                     const CalibrateOptions& options)
    : threads_(options.threads), kernels_(options.kernels == nullptr ? best_kernels() : *options.kernels) {
  Engine engine(graph, {.kernels = &kernels_});
  const auto take = [&](size_t begin, size_t end) {
    samples_.resize(end);
    parallel_for(end - begin, threads_, [&](size_t i, int) {
      auto inputs = set.load(held_back[begin + i]);
      if (!inputs) return;
      std::vector<Tensor> outputs = engine.run(*inputs);
      samples_[begin + i] = {std::move(*inputs), std::move(outputs), std::nullopt};
      if (set.label) samples_[begin + i].label = set.label(held_back[begin + i]);
    });
  };
  if (held_back.empty()) return;
  take(0, 1);
  const size_t bytes = std::max<size_t>(bytes_of(samples_[0].inputs) + bytes_of(samples_[0].outputs), 1);
  take(1, std::clamp<size_t>(kValidationBytes / bytes, 1, held_back.size()));
  std::erase_if(samples_, [](const Sample& sample) { return sample.inputs.empty(); });
  const GraphIndex index(graph);
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    std::vector<const Tensor*> references;
    for (const Sample& sample : samples_) references.push_back(&sample.outputs[i]);
    errors_.emplace_back(references, kind_of(graph, index, graph.outputs[i]));
  }
}

Quality Validator::judge(const Graph& network) const {
  Engine engine(network, {.kernels = &kernels_});
  const size_t outputs = network.outputs.size();
  std::vector<Quality> parts(samples_.size());
  parallel_for(samples_.size(), threads_, [&](size_t s, int) {
    const std::vector<Tensor> computed = engine.run(samples_[s].inputs);
    Quality& part = parts[s];
    part.outputs.resize(outputs);
    part.channel_errors.resize(1);
    std::vector<double>& channels = part.channel_errors[0];
    for (size_t i = 0; i < outputs; ++i) {
      part.outputs[i].add(samples_[s].outputs[i], computed[i]);
      for (const double error : errors_[i].channels_of(samples_[s].outputs[i], computed[i]))
        channels.push_back(error / static_cast<double>(outputs));
    }
    part.errors = {std::accumulate(channels.begin(), channels.end(), 0.0)};
    const auto expected = static_cast<int64_t>(arg_max(samples_[s].outputs[0])),
               found = static_cast<int64_t>(arg_max(computed[0]));
    part.agreeing = expected == found ? 1 : 0;
    part.labelled = samples_[s].label ? 1 : 0;
    part.reference_right = samples_[s].label == expected ? 1 : 0;
    part.candidate_right = samples_[s].label == found ? 1 : 0;
  });
  Quality quality;
  quality.outputs.resize(outputs);
  for (const Quality& part : parts) {  // in one order, so that the sums do not depend on threads
    quality.agreeing += part.agreeing;
    quality.labelled += part.labelled;
    quality.reference_right += part.reference_right;
    quality.candidate_right += part.candidate_right;
    quality.errors.push_back(part.errors[0]);
    quality.channel_errors.push_back(part.channel_errors[0]);
    for (size_t i = 0; i < outputs; ++i) quality.outputs[i].add(part.outputs[i]);
  }
  return quality;
}

}  // namespace quantize
