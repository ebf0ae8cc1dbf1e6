#include "calibration/search/input_codes.h"

#include "core/integer/model_facts.h"

namespace quantize {

InputCodes::InputCodes(const Graph& graph) {
  for (const ValueId id : graph.inputs)
    params_.push_back(graph.value(id).dtype == DataType::kF32 ? std::nullopt : dequantization_of(graph, id));
}

std::vector<Tensor> InputCodes::quantized(std::vector<Tensor> inputs) const {
  for (size_t i = 0; i < inputs.size() && i < params_.size(); ++i)
    if (params_[i] && inputs[i].dtype() == DataType::kF32)
      inputs[i] = quantize_tensor(inputs[i], *params_[i]);
  return inputs;
}

}  // namespace quantize
