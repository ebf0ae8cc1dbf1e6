// Graphs whose shapes depend on data, cut behind the nodes that decide them.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "core/engine/control_flow.h"

namespace quantize {

/// A graph of known input shapes, some of whose other shapes only an inference tells. It runs in three parts: the
/// nodes of known shapes, as a program; those behind them whose results have shapes that depend on data, by their
/// reference code, or by their bodies; and the rest, as a graph that takes these results for inputs, and may be cut again.
class Segments {
 public:
  /// `graph` as specialize_known left it. Errors: Error(kInternal) if it has no unknown shape.
  Segments(Graph graph, const CompileOptions& options);

  /// As Engine::run. Errors: also Error(kUnsupported) for a result above the limits of fold_constants, or whose
  /// shape does not follow from its inputs.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, ExecutionObserver* observer,
                          std::vector<StepTime>* times);

  /// As Engine::hash.
  uint64_t hash(const std::vector<Tensor>& inputs);

 private:
  std::vector<Tensor> inputs_of_rest(const std::vector<Tensor>& inputs, ExecutionObserver* observer,
                                     std::vector<StepTime>* times);
  std::vector<Tensor> run_cut(NodeId n, const std::vector<Tensor>& operands);

  Graph graph_;                           // without the constants that only the other two read
  std::vector<NodeId> cut_;               // the nodes of the second part
  std::map<NodeId, ControlFlow> bodies_;  // of those among them that have some
  std::unique_ptr<Engine> first_, rest_;  // no first one if no node has known shapes
};

}  // namespace quantize
