// Makes equal constants one.
#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "core/passes/passes.h"

namespace quantize {

namespace {

size_t hash_of(const Tensor& tensor) {
  return std::hash<std::string_view>()({static_cast<const char*>(tensor.bytes()), tensor.byte_size()});
}

}  // namespace

void merge_constants(Graph& graph) {
  std::unordered_multimap<size_t, ValueId> known;
  std::vector<ValueId> representative(graph.values.size());
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const auto id = static_cast<ValueId>(i);
    representative[i] = id;
    const Tensor& tensor = graph.values[i].initializer;
    if (!tensor) continue;
    const auto [first, last] = known.equal_range(hash_of(tensor));
    const auto same = std::find_if(
        first, last, [&](const auto& entry) { return equal(graph.value(entry.second).initializer, tensor); });
    if (same != last)
      representative[i] = same->second;
    else
      known.emplace(hash_of(tensor), id);
  }
  // Graph outputs keep their names, so only what nodes read is replaced. One node's operands stay apart: ONNX
  // Runtime 1.32 permutes the axes of a Slice in place, which would change `ends` too if both were one.
  for (Node& node : graph.nodes)
    for (ValueId& id : node.inputs) {
      if (id == kNoValue) continue;
      const ValueId other = representative[static_cast<size_t>(id)];
      if (std::find(node.inputs.begin(), node.inputs.end(), other) == node.inputs.end()) id = other;
    }
}

}  // namespace quantize
