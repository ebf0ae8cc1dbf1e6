#include "core/quantization/known_scales.h"

#include <algorithm>

#include "core/integer/forms.h"

namespace quantize {

namespace {

/// True for an activation of f32 and for weights of a layer that has an integer form.
bool can_be_told(const Graph& graph, const GraphIndex& index, ValueId id) {
  const Value& value = graph.value(id);
  if (!value.is_constant()) return value.dtype == DataType::kF32;
  for (const GraphIndex::Use& use : index.uses(id)) {
    const Node& node = graph.nodes[static_cast<size_t>(use.node)];
    if (use.input == 1 && quantization_of(graph, node) == QuantizationRule::kWeighted) return true;
  }
  return false;
}

}  // namespace

bool keeps_16_bits(const std::map<std::string, QuantParams>& known, const TargetProfile& target) {
  return target.sixteen_bits != nullptr && target.sixteen_bits->in_integers &&
         std::any_of(known.begin(), known.end(),
                     [](const auto& each) { return bits_of(each.second.dtype) == 16; });
}

std::vector<std::string> take_known_scales(const Graph& graph,
                                           const std::map<std::string, QuantParams>& known,
                                           QuantizationScheme& scheme) {
  const GraphIndex index(graph);
  std::map<std::string, ValueId> ids;
  for (ValueId id = 0; id < static_cast<ValueId>(graph.values.size()); ++id) ids[graph.value(id).name] = id;
  std::vector<std::string> missing;
  for (const auto& [name, params] : known) {
    const auto found = ids.find(name);
    if (found == ids.end() || !can_be_told(graph, index, found->second))
      missing.push_back(name);
    else if (const auto [told, is_new] = scheme.overrides.try_emplace(name); is_new)
      told->second.known = params;
  }
  return missing;
}

}  // namespace quantize
