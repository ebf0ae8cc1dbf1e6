// A network that stops between its layers: run up to one, looked at, changed, run on.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/graph.h"
#include "kernels/kernel_table.h"

namespace quantize {

/// Runs a graph on several samples, up to one node after the other. Values that later nodes read are kept
/// in memory: integer codes rather than the reals that are made of them. Constants of the graph may change
/// between two calls of advance_to, as long as only nodes behind read them.
class StagedRun {
 public:
  /// samples[s][i] belongs to graph.inputs[i] and has the same shape for all s; there is at least one. The
  /// graph must outlive the object.
  StagedRun(const Graph& graph, const KernelTable& kernels, int threads,
            const std::vector<std::vector<Tensor>>& samples);

  /// Computes all that nodes from `position` on read. Requires: positions do not decrease.
  /// Errors: those of Engine::run.
  void advance_to(size_t position);

  /// Computes a value from what is kept, and hands that of each sample over, from several threads; what is kept stays.
  /// Errors: those of Engine::run.
  void compute(ValueId id, const std::function<void(size_t sample, const Tensor& value)>& take) const;

  size_t samples() const { return values_.size(); }
  /// Requires: a node from the last position on reads it, or the reals made of it.
  const Tensor& value(size_t sample, ValueId id) const;

  /// Bytes that are kept per sample while it stands at any of these positions; nothing if a shape is unknown.
  static std::optional<size_t> bytes_at(const Graph& graph, const std::vector<size_t>& positions);

 private:
  std::vector<size_t> fix_shapes(Graph& part) const;
  /// The kept values of one sample at these places.
  std::vector<Tensor> at(size_t sample, const std::vector<size_t>& places) const;

  const Graph& graph_;
  const GraphIndex index_;
  const KernelTable& kernels_;
  const int threads_;
  std::vector<ValueId> live_;                // ascending
  std::vector<std::vector<Tensor>> values_;  // per sample, in the order of live_
};

}  // namespace quantize
