// Running candidates. Read run_trial() and normalization_misfit(); words and weights are in
// weigh_evidence.cpp.
#include "calibration/search/preprocess_evidence.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "core/fusion/patterns.h"
#include "core/parallel.h"
#include "core/passes/passes.h"

namespace quantize {
namespace {

using Outputs = std::vector<Tensor>;

/// Of one channel, over all pictures.
struct Signs {
  uint64_t positive = 0, count = 0;
};

/// Counts the signs of what convolutions compute, per channel (axis 1).
class SignCounter : public ExecutionObserver {
 public:
  SignCounter(const std::vector<ValueId>& values, size_t all) : slots_(all, -1), signs_(values.size()) {
    for (size_t i = 0; i < values.size(); ++i) slots_[static_cast<size_t>(values[i])] = static_cast<int>(i);
  }

  void on_value(ValueId id, const TensorView& value) override {
    const int slot = slots_[static_cast<size_t>(id)];
    if (slot < 0 || value.dtype != DataType::kF32 || value.shape.size() < 3 || value.shape[1] == 0) return;
    const auto channels = static_cast<size_t>(value.shape[1]);
    const int64_t count = value.size() / value.shape[1];
    std::vector<Signs>& signs = signs_[static_cast<size_t>(slot)];
    signs.resize(channels);
    const float* x = value.as<float>();
    for (Signs& channel : signs) {
      channel.positive += static_cast<uint64_t>(std::count_if(x, x + count, [](float y) { return y > 0; }));
      channel.count += static_cast<uint64_t>(count);
      x += count;
    }
  }

  void add(const SignCounter& other) {
    for (size_t i = 0; i < signs_.size(); ++i) {
      signs_[i].resize(std::max(signs_[i].size(), other.signs_[i].size()));
      for (size_t c = 0; c < other.signs_[i].size(); ++c) {
        signs_[i][c].positive += other.signs_[i][c].positive;
        signs_[i][c].count += other.signs_[i][c].count;
      }
    }
  }

  /// Mean over the values of the mean entropy of their channels' signs, in bits.
  double entropy() const {
    double sum = 0, values = 0;
    for (const std::vector<Signs>& signs : signs_) {
      if (signs.empty()) continue;
      double bits = 0;
      for (const Signs& each : signs) {
        const double p =
            static_cast<double>(each.positive) / static_cast<double>(std::max<uint64_t>(each.count, 1));
        if (p > 0 && p < 1) bits -= p * std::log2(p) + (1 - p) * std::log2(1 - p);
      }
      sum += bits / static_cast<double>(signs.size());
      values += 1;
    }
    return values == 0 ? 0 : sum / values;
  }

 private:
  std::vector<int> slots_;  // value -> place in signs_
  std::vector<std::vector<Signs>> signs_;
};

/// Sums over one picture's part of a value, per channel.
struct Moments {
  double count = 0;  // per channel
  std::vector<double> sum, square;

  void add(const Moments& other) {
    sum.resize(other.sum.size());
    square.resize(other.sum.size());
    count += other.count;
    for (size_t c = 0; c < sum.size(); ++c) {
      sum[c] += other.sum[c];
      square[c] += other.square[c];
    }
  }
};

/// Moments of a tensor [1, C, ...].
Moments moments_of(const Tensor& tensor) {
  const int64_t channels = tensor.shape().size() < 2 ? 0 : tensor.shape()[1];
  Moments moments;
  if (channels == 0 || tensor.dtype() != DataType::kF32) return moments;
  const int64_t count = tensor.size() / channels;
  moments.count = static_cast<double>(count);
  const float* x = tensor.data<float>();
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0, square = 0;
    for (int64_t i = 0; i < count; ++i, ++x) {
      sum += *x;
      square += static_cast<double>(*x) * *x;
    }
    moments.sum.push_back(sum);
    moments.square.push_back(square);
  }
  return moments;
}

/// Divergence of each channel from what was learned; infinite where there is nothing finite to compare.
void append_divergences(const Moments& measured, const LearnedStatistics& learned, std::vector<double>& to) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (size_t c = 0; c < learned.mean.size(); ++c) {
    if (c >= measured.sum.size()) {
      to.push_back(kInfinity);
      continue;
    }
    const double mean = measured.sum[c] / measured.count, v0 = learned.variance[c];
    const double variance = std::max(measured.square[c] / measured.count - mean * mean, 1e-12);
    const double shift = mean - learned.mean[c];
    const double divergence = 0.5 * ((variance + shift * shift) / v0 - 1 - std::log(variance / v0));
    to.push_back(std::isfinite(divergence) ? divergence : kInfinity);
  }
}

double median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  return *middle;
}

/// The outputs of the first picture under every candidate.
std::vector<Outputs> first_outputs(Engine& engine, const Probe& probe, const Candidates& candidates,
                                   int threads) {
  std::vector<Outputs> outputs(candidates.size());
  parallel_for(candidates.size(), threads, [&](size_t c, int) {
    outputs[c] = engine.run(inputs_of(probe, 0, candidates[c].preprocess));
  });
  return outputs;
}

}  // namespace

Trial run_trial(const Graph& prepared, const Probe& probe, const Candidates& candidates,
                const ProbeOptions& options) {
  const std::vector<ValueId> observed = convolution_outputs(prepared);
  CompileOptions compile = options.engine;
  compile.keep.assign(prepared.values.size(), false);
  for (const ValueId id : observed) compile.keep[static_cast<size_t>(id)] = true;
  Engine engine(prepared, compile);
  const OutputReader reader(first_outputs(engine, probe, candidates, options.threads));

  const size_t pictures = probe.pictures.size();
  Trial trial;
  trial.kind = reader.kind();
  trial.readings.assign(candidates.size(), std::vector<OutputReading>(pictures));
  std::vector<SignCounter> counters(candidates.size(), SignCounter(observed, prepared.values.size()));
  std::mutex mutex;
  parallel_for(pictures, options.threads, [&](size_t picture, int) {
    for (size_t c = 0; c < candidates.size(); ++c) {
      SignCounter counter(observed, prepared.values.size());
      const std::vector<Tensor> inputs = inputs_of(probe, picture, candidates[c].preprocess);
      trial.readings[c][picture] = reader.read(engine.run(inputs, &counter));
      const std::lock_guard lock(mutex);
      counters[c].add(counter);
    }
  });
  if (observed.empty()) return trial;
  for (const SignCounter& each : counters) trial.activity.push_back(each.entropy());
  return trial;
}

std::vector<double> normalization_misfit(const Graph& readable, const Probe& probe,
                                         const Candidates& candidates, const ProbeOptions& options) {
  Graph graph = readable;
  const std::vector<LearnedStatistics> learned = first_batch_normalizations(graph);
  if (learned.empty()) return {};
  graph.outputs.clear();  // nothing behind them needs to run
  for (const LearnedStatistics& each : learned) graph.outputs.push_back(each.input);
  remove_dead_nodes(graph);

  // Kept per picture and added up in order, so that the result does not depend on the threads.
  const size_t pictures = probe.pictures.size();
  std::vector<std::vector<std::vector<Moments>>> parts(candidates.size(),
                                                       std::vector<std::vector<Moments>>(pictures));
  Engine engine(std::move(graph), options.engine);
  parallel_for(pictures, options.threads, [&](size_t picture, int) {
    for (size_t c = 0; c < candidates.size(); ++c) {
      for (const Tensor& output : engine.run(inputs_of(probe, picture, candidates[c].preprocess)))
        parts[c][picture].push_back(moments_of(output));
    }
  });
  std::vector<double> misfit;
  for (const auto& images : parts) {
    std::vector<Moments> sums(learned.size());
    for (const auto& image : images)
      for (size_t i = 0; i < image.size(); ++i) sums[i].add(image[i]);
    std::vector<double> channels;
    for (size_t i = 0; i < learned.size(); ++i) append_divergences(sums[i], learned[i], channels);
    misfit.push_back(median(std::move(channels)));
  }
  return misfit;
}

}  // namespace quantize
