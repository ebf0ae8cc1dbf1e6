// Running the network on samples to learn what its activations look like.
#pragma once

#include <functional>
#include <optional>
#include <set>

#include "calibration/images/sample_census.h"
#include "calibration/statistics/budget.h"
#include "calibration/statistics/float_outputs.h"
#include "calibration/statistics/statistics_table.h"
#include "core/graph.h"

namespace quantize {

/// Loads sample i: one tensor per graph input, or nothing for a sample to skip. Called from several threads.
using SampleLoader = std::function<std::optional<std::vector<Tensor>>(size_t i)>;

/// Told of a sample that must not be used, and why: from then on the loader gives nothing for it. An
/// exception that it throws ends the run.
using SampleRejecter = std::function<void(size_t i, const std::string& reason)>;

/// The positions of a run's samples in the order of all samples, those of other shards included: sample i of the
/// run stands at first + i * step.
struct SampleOrder {
  uint64_t first = 0, step = 1;
};

/// Options of a run over samples: how it is run, who is told, what it may cost.
struct CalibrateOptions {
  size_t begin = 0;      // the number of the first sample
  bool is_part = false;  // of the samples: it may have none that can be used
  int threads = 1;
  const KernelTable* kernels = nullptr;  // nullptr: the best this CPU has
  std::string preprocessing;             // recorded in the table
  SampleOrder order = {};
  /// Told how many samples are done, after each; never from two threads at once. An exception
  /// that it throws ends the run.
  std::function<void(size_t done)> progress;
  SampleRejecter reject = {};
  /// Who overflows, if others decide it: samples that make one of these values not finite. nullptr:
  /// overflowing_samples of this run.
  const std::set<std::string>* overflowing = nullptr;
  Budget budget = {};               // of optional work
  SampleCensus* census = nullptr;   // gets the facts of every sample that is used
  FloatOutputs* outputs = nullptr;  // gets what the network computes of each
  /// Statistics that are there already: values with a name in them are not observed. nullptr: none.
  const StatisticsTable* known = nullptr;
};

/// Runs `graph` once on each of `count` samples, those from number options.begin on, and collects the statistics of its activations, every value
/// with a name that values_to_observe selects. Samples are spread over the threads; memory does not depend on
/// their number, the result not on the number of threads. A sample that overflows where most do not
/// (overflowing_samples) is rejected, if there is a function for that, and the others are run again.
///
/// Requires: `graph` is prepared (valid, types inferred).
/// Errors: Error(kCalibration) if no sample was left of all (not of a part); those of the loader and of Engine::run.
StatisticsTable calibrate(const Graph& graph, size_t count, const SampleLoader& load,
                          const CalibrateOptions& options);

}  // namespace quantize
