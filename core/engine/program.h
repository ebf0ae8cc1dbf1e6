// A compiled graph of static shapes: steps with packed weights and a planned arena.
// Read compile(), then Program::run().
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/engine/observer.h"
#include "core/engine/steps/step.h"

namespace quantize {

/// Options of compile: the level, the threads that share steps, and the values an observer wants.
struct CompileOptions {
  const KernelTable* kernels = nullptr;  // nullptr: the best this CPU has
  /// Values, by id, that an observer wants to see: they are never fused away. Empty: none.
  std::vector<bool> keep = {};
  /// Threads that share one run; the results do not depend on it. Steps that cannot be split run on one of
  /// them.
  int threads = 1;
};

/// One operator call of a Program.
struct Step {
  Node node;
  int64_t opset = 0;
  StepFunction function;
  std::vector<ValueId> inputs,
      outputs;  // outputs may differ from the node's when a clamp was fused behind it
  size_t scratch_bytes = 0;
  size_t chunks = 1;  // parts that different threads can do; see CompileContext::chunks
};

/// A buffer of a schedule.
struct BufferRequest {
  size_t bytes = 0;
  size_t first_step = 0, last_step = 0;  // alive in [first, last]
};

class Program;

/// The memory of one running inference: an arena and the views into it. One per thread; reusable, not
/// shareable.
class Workspace {
 public:
  explicit Workspace(const Program& program);

  /// The results of the last run; valid until the next one.
  TensorView output(size_t i) const { return outputs_[i]; }

 private:
  friend class Program;
  struct StepViews {
    std::vector<TensorView> inputs;
    std::vector<MutableTensorView> outputs;
  };
  std::shared_ptr<std::byte> arena_;
  std::vector<StepViews> steps_;
  std::vector<MutableTensorView> inputs_;
  std::vector<TensorView> outputs_;
};

/// Immutable once compiled; run is const and may be called from several threads, each with its own Workspace.
class Program {
 public:
  /// Runs the steps in order, each on as many threads as CompileOptions said. inputs[i] belongs to
  /// graph.inputs[i]: same type and shape (Errors: Error(kInvalidArgument)). The observer is told of the kept
  /// values by one thread at a time: inputs first, then as they are computed.
  void run(std::span<const TensorView> inputs, Workspace& workspace,
           ExecutionObserver* observer = nullptr) const;

  /// The same, with a hash (FNV-1a, 64 bits) of every element that any step computes, in their order: it
  /// depends neither on the instruction set nor on the number of threads.
  uint64_t run_hashed(std::span<const TensorView> inputs, Workspace& workspace) const;

  /// The same, with the milliseconds that each step took.
  std::vector<double> run_timed(std::span<const TensorView> inputs, Workspace& workspace) const;

  const Graph& graph() const { return graph_; }
  const std::vector<Step>& steps() const { return steps_; }
  size_t arena_bytes() const { return arena_bytes_; }

 private:
  friend Program compile(Graph graph, const CompileOptions& options);
  friend class Workspace;
  struct Inference;
  void copy_inputs(std::span<const TensorView> inputs, Workspace& workspace) const;
  void place_values();
  std::vector<ValueId> share_places(std::vector<BufferRequest>& requests) const;
  bool are_rows(ValueId a, ValueId b) const;
  bool lie_alike(ValueId a, ValueId b) const;
  bool reads_twice(const Step& step, ValueId root) const;
  size_t bytes_of(ValueId root) const;

  Graph graph_;
  const KernelTable* kernels_ = nullptr;
  std::vector<bool> keep_;
  int threads_ = 1;
  std::vector<Step> steps_;
  std::vector<Storage> storage_;                                     // per value: how it lies in memory
  std::vector<size_t> offsets_;                                      // per root: place in the arena
  size_t scratch_offset_ = 0, scratch_bytes_ = 0, arena_bytes_ = 0;  // scratch_bytes_: of each thread
};

/// The Relu or Clip that `compile` fuses into `node` unless the value between them is kept: it has constant
/// bounds and alone reads the node's only output, and the node's operator can apply it. kNoNode if there is
/// none. Errors: those of find_op.
NodeId clamp_behind(const Graph& graph, const GraphIndex& index, const Node& node);

/// Compiles a graph whose shapes are all static (see specialize). A Relu or Clip behind an operator that can
/// apply it is fused unless its input is kept. Errors: Error(kUnsupported) with the node as context.
Program compile(Graph graph, const CompileOptions& options);

/// Where each buffer of a schedule stands.
struct MemoryPlan {
  std::vector<size_t> offsets;  // one per request, 64-byte aligned
  size_t total_bytes = 0;
};

/// Greedy by size: the largest buffer first, each at the lowest offset free during its life.
/// Source: Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference (2020).
MemoryPlan plan_memory(std::span<const BufferRequest> requests);

}  // namespace quantize
