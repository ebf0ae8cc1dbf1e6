// Value by value. Read check_overrides(), at the end, first.
#include "core/quantization/check_overrides.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "core/integer/forms.h"
#include "core/quantization/quantize_weights.h"

namespace quantize {

namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, message);
}

bool reads_as_weights(const Graph& graph, const GraphIndex::Use& use) {
  return use.input == 1 &&
         quantization_of(graph, graph.nodes[static_cast<size_t>(use.node)]) == QuantizationRule::kWeighted;
}

/// Weights that no integer operator could take stay float whatever they are told.
void check_weights(const Graph& graph, const GraphIndex& index, ValueId id, const QuantizationScheme& scheme,
                   const ValueOverride& specific) {
  const Tensor& weights = graph.value(id).initializer;
  bool are_weights = false;
  for (const GraphIndex::Use& use : index.uses(id)) {
    if (!reads_as_weights(graph, use)) continue;
    are_weights = true;
    const Node& node = graph.nodes[static_cast<size_t>(use.node)];
    const auto layout = find_op(graph, node).weight_layout(node, weights.shape());
    if (weights.dtype() == DataType::kF32 && layout && layout->size() == weights.size())
      check_weight_override(weights, *layout, scheme, specific);
  }
  if (!are_weights)
    refuse("it is a constant and no layer's weights, so that nothing of it can be set; leave it out");
}

void check_activation(const Value& value, const QuantizationScheme& scheme, const TargetProfile& target,
                      const ValueOverride& specific) {
  if (value.dtype != DataType::kF32)
    refuse("it holds " + std::string(name_of(value.dtype)) + ", and only f32 is quantized; leave it out");
  if (specific.axis)
    refuse("target " + std::string(target.name) + " takes one scale per activation; leave out 'axis'");
  const DataType type = activation_type(scheme, value.name).dtype;
  if (target.find_types(type, scheme.weights.dtype) == nullptr)
    refuse("target " + std::string(target.name) + " does not multiply " + std::string(name_of(type)) +
           " by " + std::string(name_of(scheme.weights.dtype)) + "; leave out 'unsigned'");
}

}  // namespace

void check_overrides(const Graph& graph, const QuantizationScheme& scheme, const TargetProfile& target) {
  if (scheme.overrides.empty()) return;
  const GraphIndex index(graph);
  for (const auto& [name, specific] : scheme.overrides) {
    const ValueId id = graph.find_value(name);
    with_context([&, &name = name] { return "override of '" + name + "'"; },
                 [&, &specific = specific] {
                   if (id == kNoValue) refuse("no value is called so");
                   if (graph.value(id).is_constant())
                     check_weights(graph, index, id, scheme, specific);
                   else
                     check_activation(graph.value(id), scheme, target, specific);
                 });
  }
}

}  // namespace quantize
