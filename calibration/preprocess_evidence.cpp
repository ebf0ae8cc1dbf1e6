// Measuring candidates. Read normalization_misfit() and class_information(); both run every image once per
// candidate.
#include "calibration/preprocess_evidence.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "core/parallel.h"
#include "core/passes/passes.h"
#include "core/passes/patterns.h"

namespace quantize {
namespace {

using Outputs = std::vector<Tensor>;

/// Calls take(image, candidate, outputs) for every usable image and candidate, from several threads.
void run_trial(Engine& engine, const Trial& trial,
               const std::function<void(size_t image, size_t candidate, const Outputs& outputs)>& take) {
  parallel_for(trial.images, trial.threads, [&](size_t image, int) {
    const std::vector<Tensor> inputs = trial.load(image);
    for (size_t c = 0; c < inputs.size(); ++c) take(image, c, engine.run({inputs[c]}));
  });
}

/// Sums over one image's part of a value, per channel.
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

/// One image's prediction: the mean over the rows of its output.
struct Prediction {
  std::vector<double> probabilities;  // empty: the output holds no classes
  double negative_entropy = 0;        // mean of sum p ln p
};

bool is_distribution(const float* row, int64_t classes) {
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) {
    if (!(row[k] >= 0)) return false;
    sum += row[k];
  }
  return std::abs(sum - 1) < 1e-3;
}

std::vector<double> softmax(const float* row, int64_t classes) {
  const double largest = *std::max_element(row, row + classes);
  std::vector<double> p(static_cast<size_t>(classes));
  double sum = 0;
  for (size_t k = 0; k < p.size(); ++k) sum += p[k] = std::exp(row[k] - largest);
  for (double& each : p) each /= sum;
  return p;
}

/// The classes are the last axis that is longer than 1.
Prediction read_prediction(const Tensor& output) {
  Prediction prediction;
  if (output.dtype() != DataType::kF32) return prediction;
  Shape shape = output.shape();
  while (!shape.empty() && shape.back() == 1) shape.pop_back();
  if (shape.empty()) return prediction;
  const int64_t classes = shape.back(), rows = output.size() / classes;
  prediction.probabilities.resize(static_cast<size_t>(classes));
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = output.data<float>() + r * classes;
    const bool ready = is_distribution(row, classes);
    if (!ready && rows > 1) return {};
    const std::vector<double> p = ready ? std::vector<double>(row, row + classes) : softmax(row, classes);
    for (size_t k = 0; k < p.size(); ++k) {
      prediction.probabilities[k] += p[k] / static_cast<double>(rows);
      if (p[k] > 0) prediction.negative_entropy += p[k] * std::log(p[k]) / static_cast<double>(rows);
    }
  }
  return prediction;
}

/// True if the output is classes for the first image that can be used: saves the trial where it cannot tell.
bool predicts_classes(Engine& engine, const Trial& trial) {
  for (size_t i = 0; i < trial.images; ++i) {
    const std::vector<Tensor> inputs = trial.load(i);
    if (!inputs.empty()) return !read_prediction(engine.run({inputs[0]})[0]).probabilities.empty();
  }
  return false;
}

/// Divergence of every prediction from their mean; 0 where it is not finite.
std::vector<double> divergences(const std::vector<Prediction>& predictions) {
  std::vector<double> mean(predictions[0].probabilities.size());
  for (const Prediction& each : predictions) {
    for (size_t k = 0; k < mean.size(); ++k) {
      mean[k] += each.probabilities[k] / static_cast<double>(predictions.size());
    }
  }
  std::vector<double> nats;
  for (const Prediction& each : predictions) {
    double sum = each.negative_entropy;
    for (size_t k = 0; k < mean.size(); ++k) {
      if (each.probabilities[k] > 0) sum -= each.probabilities[k] * std::log(mean[k]);
    }
    nats.push_back(std::isfinite(sum) ? std::max(sum, 0.0) : 0);
  }
  return nats;
}

}  // namespace

std::vector<double> normalization_misfit(const Graph& source, const Trial& trial) {
  Graph graph = source;
  upgrade_opset(graph, kMinOutputOpset);
  infer_and_fold(graph);
  const std::vector<LearnedStatistics> learned = first_batch_normalizations(graph);
  if (learned.empty()) return {};
  graph.outputs.clear();  // nothing behind them needs to run
  for (const LearnedStatistics& each : learned) graph.outputs.push_back(each.input);
  remove_dead_nodes(graph);

  // Kept per image and added up in order, so that the result does not depend on the threads.
  std::vector<std::vector<std::vector<Moments>>> parts(trial.candidates,
                                                       std::vector<std::vector<Moments>>(trial.images));
  Engine engine(std::move(graph), trial.engine);
  run_trial(engine, trial, [&](size_t image, size_t candidate, const Outputs& outputs) {
    for (const Tensor& output : outputs) parts[candidate][image].push_back(moments_of(output));
  });
  std::vector<double> misfit;
  for (const auto& images : parts) {
    std::vector<Moments> sums(learned.size());
    for (const auto& image : images) {
      for (size_t i = 0; i < image.size(); ++i) sums[i].add(image[i]);
    }
    std::vector<double> channels;
    for (size_t i = 0; i < learned.size(); ++i) append_divergences(sums[i], learned[i], channels);
    misfit.push_back(median(std::move(channels)));
  }
  return misfit;
}

ClassInformation class_information(const Graph& graph, const Trial& trial) {
  Engine engine(graph, trial.engine);
  if (!predicts_classes(engine, trial)) return {};
  std::vector<std::vector<Prediction>> predictions(trial.candidates, std::vector<Prediction>(trial.images));
  run_trial(engine, trial, [&](size_t image, size_t candidate, const Outputs& outputs) {
    predictions[candidate][image] = read_prediction(outputs[0]);
  });
  ClassInformation information;
  std::vector<size_t> usable;
  for (size_t i = 0; i < trial.images; ++i) {
    const auto& some = predictions[0][i].probabilities;
    if (some.empty()) continue;
    usable.push_back(i);
    information.classes = static_cast<int64_t>(some.size());
  }
  for (const auto& images : predictions) {
    std::vector<Prediction> kept;
    for (const size_t i : usable) {
      if (images[i].probabilities.size() != static_cast<size_t>(information.classes)) return {};
      kept.push_back(images[i]);
    }
    if (kept.empty()) return {};
    information.nats.push_back(divergences(kept));
  }
  return information;
}

}  // namespace quantize
