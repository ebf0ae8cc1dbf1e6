// Measurements of how well preprocessings suit a model, each by itself. auto_preprocess.cpp weighs them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibration/search/output_evidence.h"
#include "calibration/search/probe.h"
#include "core/engine/engine.h"

namespace quantize {

/// A preprocessing that may be the right one.
struct PreprocessCandidate {
  std::string name;  // a preset's, or what to call it in a sentence
  Preprocess preprocess;
};
using Candidates = std::vector<PreprocessCandidate>;

/// The verdict of one measurement on the candidates.
struct Evidence {
  std::string text;             // for people, with the numbers
  std::vector<double> support;  // per candidate: 0 for the one that fits best, the less the worse one fits
  bool decisive = false;        // the best one stands out so clearly that it alone can make a guess sure
  bool weak = false;            // too indirect to contradict a decisive one
};

/// Options of the runs that measure candidates.
struct ProbeOptions {
  int threads = 1;
  CompileOptions engine;
};

/// The network's results for every picture under every candidate.
struct Trial {
  OutputReader::Kind kind = OutputReader::Kind::kNothing;
  std::vector<std::vector<OutputReading>> readings;  // [candidate][picture]
  /// Per candidate, the mean over the channels of all convolutions of the entropy, in bits, of the sign of
  /// their results: 0 where each channel is always positive or never. Empty for a model without Conv.
  std::vector<double> activity;
};

/// Runs `prepared` once per picture and candidate. The same for any number of threads.
/// Errors: those of Engine::run; Error(kInterrupted).
Trial run_trial(const Graph& prepared, const Probe& probe, const Candidates& candidates,
                const ProbeOptions& options);

/// How far the inputs of the first BatchNormalizations are from what those learned in training, per
/// candidate: the Kullback-Leibler divergence of normal distributions with the measured and the learned mean
/// and variance, median over the channels, in nats. 0.5 is a mean that is one standard deviation off.
///
///   0.5 (v / v0 + (m - m0)^2 / v0 - 1 - ln(v / v0))
///
/// `readable` is the model as it was read, its constants folded but not its BatchNormalizations. Empty if it
/// has none that can be measured. Errors: those of Engine::run; Error(kInterrupted).
std::vector<double> normalization_misfit(const Graph& readable, const Probe& probe,
                                         const Candidates& candidates, const ProbeOptions& options);

/// Words and weights for the measurements; nothing where they show nothing. Decisive are: a misfit below 0.5
/// nats and at most half of the next one; outputs or labels that prefer one candidate by two standard errors.
std::optional<Evidence> normalization_evidence(const std::vector<double>& misfit,
                                               const Candidates& candidates);
std::optional<Evidence> activity_evidence(const Trial& trial, const Candidates& candidates);
std::optional<Evidence> class_evidence(const Trial& trial, const Candidates& candidates);
std::optional<Evidence> box_evidence(const Trial& trial, const Candidates& candidates);

/// labels[picture]: the right class, or nothing.
using Labels = std::vector<std::optional<int64_t>>;
std::optional<Evidence> label_evidence(const Trial& trial, const Labels& labels,
                                       const Candidates& candidates);

/// By how many standard errors the outputs, or with labels the right classes, prefer candidate `a` to `b`;
/// nothing if they show nothing.
std::optional<double> preference(const Trial& trial, const Labels& labels, size_t a, size_t b);

}  // namespace quantize
