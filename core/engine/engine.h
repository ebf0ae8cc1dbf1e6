// Runs a graph on inputs of any shape it allows: one Program per set of input shapes, compiled when first
// needed. A graph whose shapes depend on data has several, one after the other (core/engine/segments.h).
#pragma once

#include <list>
#include <memory>
#include <mutex>

#include "core/engine/program.h"

namespace quantize {

/// A step of a run, and the time that it took.
struct StepTime {
  std::shared_ptr<const void> owner;  // keeps alive what the others refer to
  const Program*
      program;         // nullptr for a node that runs between two programs, with its bodies if it has some
  const Graph* graph;  // of the node and the values
  const Node* node;
  std::span<const ValueId> inputs, outputs;
  Shape shape;  // of the first output
  double milliseconds;
};

/// The steps of a program and their times, as Program::run_timed returns them; without an owner.
std::vector<StepTime> step_times(const Program& program, std::span<const double> milliseconds);

/// A graph that runs, with a Program for each set of input shapes that it met.
class Engine {
 public:
  /// `graph` must be valid; its shapes may be unknown. Islands of QDQ become integer operators; compiles
  /// nothing yet.
  Engine(Graph graph, CompileOptions options);
  ~Engine();

  /// Runs the model once on the calling thread. Thread-safe. inputs[i] belongs to graph().inputs[i].
  /// `times`: takes every step behind those that it has; there is no observer then.
  /// Errors: Error(kInvalidArgument) for a wrong type or shape; those of compile and specialize.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, ExecutionObserver* observer = nullptr,
                          std::vector<StepTime>* times = nullptr);

  /// Runs the model once for the hash of all it computes, results and all between: see Program::run_hashed.
  uint64_t hash(const std::vector<Tensor>& inputs);

  /// The program for inputs of these shapes, compiled if it was not yet; nullptr for a model that several run, one after
  /// the other, as its shapes depend on data or nodes have bodies. Errors: those of compile and specialize.
  std::shared_ptr<const Program> program(const std::vector<Shape>& shapes);

  /// The model as the engine runs it. Constants of a model whose input shapes are fixed are gone once its
  /// program is compiled: they would be in memory twice.
  const Graph& graph() const { return graph_; }

 private:
  struct Entry;
  template <typename InSegments, typename Body>
  auto in_workspace(const std::vector<Tensor>& inputs, InSegments in_segments, Body body);
  std::shared_ptr<Entry> entry_for(const std::vector<Shape>& shapes);

  void fill(Entry& entry);

  Graph graph_;
  std::vector<Shape> static_shapes_;  // of the inputs, if is_static_: the model takes no others
  bool is_static_ = true;
  CompileOptions options_;
  std::mutex mutex_;
  std::list<std::shared_ptr<Entry>> entries_;  // most recently used first
};

}  // namespace quantize
