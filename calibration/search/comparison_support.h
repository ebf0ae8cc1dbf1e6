// The parts that both comparisons of two models share: networks that are fed samples, outputs of the same
// name, the loop.
#pragma once

#include <string>
#include <vector>

#include "calibration/search/comparison.h"
#include "calibration/search/input_codes.h"
#include "core/engine/engine.h"

namespace quantize {

/// A network that takes float samples whatever its inputs are. Thread-safe.
class FedNetwork {
 public:
  /// `source` is the model as it was read, `network` what open_model made of it; `role` names it in errors.
  /// `keep`: as in CompileOptions.
  FedNetwork(const Graph& source, Graph network, const KernelTable* kernels, const char* role,
             std::vector<bool> keep = {});

  /// Errors: those of Engine::run, with the role as context.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, ExecutionObserver* observer = nullptr);

 private:
  InputCodes codes_;
  Engine engine_;
  const char* role_;
};

/// open_model with the role as context. Errors: those of open_model.
Graph opened(const Graph& source, const char* role);

/// Both models with the outputs that they have in common, in the reference's order.
struct CommonOutputs {
  Graph reference, candidate;
  std::vector<std::string> warnings;  // of outputs that only one has
};

/// Errors: Error(kInvalidArgument) if inputs differ by name or number, or the candidate lacks the first
/// output.
CommonOutputs outputs_in_common(const Graph& reference, const Graph& candidate);

}  // namespace quantize
