// Which values are results of a graph.
#include <algorithm>

#include "core/ops/op.h"
#include "core/passes/passes.h"

namespace quantize {

std::vector<bool> find_results(const Graph& graph, const GraphIndex& index) {
  std::vector<bool> result(graph.values.size(), false);
  const auto makes_result = [&](const GraphIndex::Use& use) {
    const Node& reader = graph.nodes[static_cast<size_t>(use.node)];
    return find_op(graph, reader).weight_layout == nullptr && result[static_cast<size_t>(reader.outputs[0])];
  };
  const auto decide = [&](ValueId id) {
    const auto& uses = index.uses(id);
    result[static_cast<size_t>(id)] =
        (index.is_output(id) || !uses.empty()) && std::all_of(uses.begin(), uses.end(), makes_result);
  };
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node)
    for (ValueId id : node->outputs)
      if (id != kNoValue) decide(id);
  for (ValueId id : graph.inputs) decide(id);
  return result;
}

}  // namespace quantize
