// If, Loop and Scan: a body is a model that runs once or many times.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/engine/engine.h"

namespace quantize {

/// A node of control flow that runs. Each body is prepared as models are, with the constants that it captures, when it
/// runs first.
class ControlFlow {
 public:
  /// `node` is one of `graph`, whose types are inferred.
  ControlFlow(const Graph& graph, const Node& node, const CompileOptions& options);

  /// The results of the node. inputs[i] belongs to input i of the node, captured ones included; an empty tensor stands
  /// for an input that is left out, and for a captured constant.
  /// Thread-safe.
  /// Errors: Error(kInvalidModel) for operands that do not fit; Error(kUnsupported) for more than 10 million iterations
  /// or more than 2 GiB of stacked results; those of open_model and Engine::run for a body.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs);

 private:
  struct Part {
    Graph body;  // as the file has it; its constants are gone once the engine is there
    std::once_flag opened;
    std::unique_ptr<Engine> engine;
    std::vector<size_t> captured;  // the inputs of the node that the body still takes, behind its own
  };
  std::vector<Tensor> run_body(Part& part, std::vector<Tensor> own, const std::vector<Tensor>& inputs);
  std::vector<Tensor> run_if(const std::vector<Tensor>& inputs);
  std::vector<Tensor> run_loop(const std::vector<Tensor>& inputs);
  std::vector<Tensor> run_scan(const std::vector<Tensor>& inputs);

  CompileOptions options_;
  Node node_;  // without the bodies
  size_t own_inputs_;
  std::map<std::string, Part> parts_;
};

}  // namespace quantize
