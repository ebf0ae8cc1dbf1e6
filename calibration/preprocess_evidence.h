// Two measurements of how well a preprocessing suits a model. Read Trial first.
#pragma once

#include <functional>
#include <vector>

#include "core/engine/engine.h"

namespace quantize {

/// A few images under each of several candidate preprocessings.
struct Trial {
  size_t images = 0, candidates = 0;
  /// Image i as the model's input under every candidate; nothing if it cannot be used. Called from several
  /// threads.
  std::function<std::vector<Tensor>(size_t image)> load;
  int threads = 1;
  CompileOptions engine;
};

/// How far the inputs of the first BatchNormalizations are from what those learned in training, per
/// candidate: the Kullback-Leibler divergence of normal distributions with the measured and the learned mean
/// and variance, median over the channels, in nats. 0.5 is a mean that is one standard deviation off.
///
///   0.5 (v / v0 + (m - m0)^2 / v0 - 1 - ln(v / v0))
///
/// `source` is the model before its BatchNormalizations are folded. Nothing if it has none that can be
/// measured. Errors: those of upgrade_opset and Engine::run.
std::vector<double> normalization_misfit(const Graph& source, const Trial& trial);

/// What a model's first output says about its input, read as the probabilities of classes along its last axis
/// (softmax of a vector that is none yet).
struct ClassInformation {
  int64_t classes = 0;  // 0: the output cannot be read like that
  /// nats[candidate][k]: divergence of the k-th usable image's prediction from the mean prediction. Its mean
  /// over the images is the mutual information between image and class: how well the output tells them apart.
  std::vector<std::vector<double>> nats;
};

/// Errors: those of Engine::run.
ClassInformation class_information(const Graph& graph, const Trial& trial);

}  // namespace quantize
