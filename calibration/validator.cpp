#include "calibration/validator.h"

#include <algorithm>
#include <cmath>
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
    if (quantization_of(graph, node) != QuantizationRule::kPassThrough) break;
    n = index.producer(node.inputs[0]);
  }
  return OutputError::Kind::kNumbers;
}

/// The mean of values in standard errors of that mean; nothing where it is not known, as they do not differ.
std::optional<double> in_standard_errors(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0, variance = 0;
  for (const double value : values) mean += value / n;
  for (const double value : values) variance += (value - mean) * (value - mean) / n;
  const double error = std::sqrt(variance / n);
  if (!(Quality::kMostGain * error > std::abs(mean))) return std::nullopt;
  return mean / error;
}

}  // namespace

std::optional<double> Quality::sqnr_db() const {
  std::optional<double> worst = Deviation::kMaxDb;
  for (const Deviation& output : outputs) worst = std::min(worst, output.sqnr_db());
  return worst;
}

std::optional<double> Quality::agreement() const {
  if (errors.empty()) return std::nullopt;
  return 100 * static_cast<double>(agreeing) / static_cast<double>(errors.size());
}

std::optional<double> Quality::drop() const {
  if (labelled == 0) return std::nullopt;
  const double lost = static_cast<double>(reference_right) - static_cast<double>(candidate_right);
  return 100 * lost / static_cast<double>(labelled);
}

std::optional<double> Quality::gain_over(const Quality& other) const {
  std::vector<double> gains;
  size_t infinite = 0, infinite_in_other = 0;
  for (size_t s = 0; s < errors.size(); ++s) {
    if (std::isfinite(errors[s]) && std::isfinite(other.errors[s]))
      gains.push_back(std::sqrt(other.errors[s]) - std::sqrt(errors[s]));
    infinite += std::isinf(errors[s]);
    infinite_in_other += std::isinf(other.errors[s]);
  }
  if (infinite != infinite_in_other) return infinite > infinite_in_other ? -kMostGain : kMostGain;
  if (std::all_of(gains.begin(), gains.end(), [](double gain) { return gain == 0; })) return 0;
  return in_standard_errors(gains);
}

bool Quality::spoils_a_channel_of(const Quality& other) const {
  constexpr double kMuch = 1.25, kChance = 0.2;
  const size_t channels = channel_errors.empty() ? 0 : channel_errors[0].size();
  for (size_t c = 0; c < channels; ++c) {
    double own = 0, others = 0;
    std::vector<double> losses;
    for (size_t s = 0; s < channel_errors.size(); ++s) {
      own += channel_errors[s][c];
      others += other.channel_errors[s][c];
      losses.push_back(channel_errors[s][c] - other.channel_errors[s][c]);
    }
    if (!(own > kMuch * others)) continue;
    const std::optional<double> loss = std::isfinite(own) ? in_standard_errors(losses) : std::nullopt;
    if (!loss || 0.5 * std::erfc(*loss / std::sqrt(2.0)) * static_cast<double>(channels) < kChance)
      return true;
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
    std::optional<size_t> label;
    if (samples_[s].label) label = static_cast<size_t>(*samples_[s].label);
    part.agreeing = agree(samples_[s].outputs[0], computed[0]) ? 1 : 0;
    part.labelled = label ? 1 : 0;
    part.reference_right = label && arg_max(samples_[s].outputs[0]) == label ? 1 : 0;
    part.candidate_right = label && arg_max(computed[0]) == label ? 1 : 0;
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
