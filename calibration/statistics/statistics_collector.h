// Listening to the engine: every activation of every sample goes into the statistics and is forgotten.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "calibration/statistics/statistics_table.h"
#include "core/graph.h"

namespace quantize {

/// The values that quantization may need a range of, as CompileOptions::keep takes them: every f32 value that
/// is not constant, except those that the engine fuses away in front of a Relu or Clip. Requires: types are
/// inferred. Errors: those of find_op.
std::vector<bool> values_to_observe(const Graph& graph);

/// Collects the statistics of all values it is told of, from any number of threads at once. Since everything
/// it adds up is exact, the order in which threads arrive does not show in the result.
class StatisticsCollector {
 public:
  /// `graph` and `kernels` must outlive the collector. Values that `known` has by name are left out; nullptr: none.
  StatisticsCollector(const Graph& graph, const KernelTable& kernels, const StatisticsTable* known);
  ~StatisticsCollector();

  /// Adds a value of the sample at `position` in the order of all samples. Thread-safe. Values that are not f32 or have
  /// no element are left out. Returns false if elements of the value count as non-finite. Errors: those of summarize
  /// and TensorStatistics::add, with the value as context.
  bool add(uint64_t position, ValueId id, const TensorView& value);

  /// Moves what was collected into `table`. Not while any thread still runs.
  void take(StatisticsTable& table);

 private:
  struct Entry;
  const Graph& graph_;
  const KernelTable& kernels_;
  std::vector<std::unique_ptr<Entry>> entries_;  // by value id; null where nothing is collected
};

}  // namespace quantize
