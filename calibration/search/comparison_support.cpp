#include "calibration/search/comparison_support.h"

#include <algorithm>

#include "core/error.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

void check_inputs(const Graph& reference, const Graph& candidate) {
  const bool same = std::equal(
      reference.inputs.begin(), reference.inputs.end(), candidate.inputs.begin(), candidate.inputs.end(),
      [&](ValueId a, ValueId b) { return reference.value(a).name == candidate.value(b).name; });
  if (!same)
    throw Error(ErrorKind::kInvalidArgument,
                "the models' inputs have different names or numbers; give two forms of the same model");
}

/// The output of the graph that has this name, or kNoValue.
ValueId output_called(const Graph& graph, const std::string& name) {
  const auto found = std::find_if(graph.outputs.begin(), graph.outputs.end(),
                                  [&](ValueId id) { return graph.value(id).name == name; });
  return found == graph.outputs.end() ? kNoValue : *found;
}

/// The lengths of lists are open; what both models fix must be the same.
void check_shapes(const Value& reference, const Value& candidate) {
  if (!reference.shape || !candidate.shape) return;
  const Shape &a = *reference.shape, &b = *candidate.shape;
  const bool same = std::equal(a.begin(), a.end(), b.begin(), b.end(), [](int64_t x, int64_t y) {
    return x == y || x == kUnknownDim || y == kUnknownDim;
  });
  if (!same)
    throw Error(ErrorKind::kInvalidArgument, "output '" + reference.name + "' of the reference is " +
                                                 to_string(a) + ", that of the candidate " + to_string(b) +
                                                 "; give two forms of the same model");
}

}  // namespace

FedNetwork::FedNetwork(const Graph& source, Graph network, const KernelTable* kernels, const char* role,
                       std::vector<bool> keep)
    : codes_(source),
      engine_(std::move(network), {.kernels = kernels, .keep = std::move(keep)}),
      role_(role) {}

Graph opened(const Graph& source, const char* role) {
  return with_context([&] { return role; }, [&] { return open_model(source); });
}

std::vector<Tensor> FedNetwork::run(const std::vector<Tensor>& inputs, ExecutionObserver* observer) {
  return with_context([&] { return role_; }, [&] { return engine_.run(codes_.quantized(inputs), observer); });
}

CommonOutputs outputs_in_common(const Graph& reference, const Graph& candidate) {
  check_inputs(reference, candidate);
  CommonOutputs common{reference, candidate, {}};
  common.reference.outputs.clear();
  common.candidate.outputs.clear();
  for (const ValueId id : reference.outputs) {
    const std::string& name = reference.value(id).name;
    const ValueId partner = output_called(candidate, name);
    if (partner == kNoValue) {
      if (id == reference.outputs.front())
        throw Error(ErrorKind::kInvalidArgument,
                    "the candidate has no output '" + name + "'; give two forms of the same model");
      common.warnings.push_back("the candidate has no output '" + name + "': it is not compared");
      continue;
    }
    check_shapes(reference.value(id), candidate.value(partner));
    common.reference.outputs.push_back(id);
    common.candidate.outputs.push_back(partner);
  }
  for (const ValueId id : candidate.outputs)
    if (output_called(reference, candidate.value(id).name) == kNoValue)
      common.warnings.push_back("the reference has no output '" + candidate.value(id).name +
                                "': it is not compared");
  return common;
}

}  // namespace quantize
