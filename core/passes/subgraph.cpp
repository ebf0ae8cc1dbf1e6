// Parts of a graph that run by themselves.
#include <algorithm>

#include "core/passes/passes.h"

namespace quantize {

Graph subgraph(const Graph& graph, const std::vector<ValueId>& inputs, const std::vector<ValueId>& outputs) {
  const GraphIndex index(graph);
  std::vector<bool> reached(graph.values.size(), false), wanted(graph.nodes.size(), false);
  for (ValueId id : inputs) reached[static_cast<size_t>(id)] = true;
  std::vector<ValueId> open = outputs;
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    if (id == kNoValue || reached[static_cast<size_t>(id)]) continue;
    reached[static_cast<size_t>(id)] = true;
    const NodeId producer = index.producer(id);
    if (producer == kNoNode) {
      if (graph.value(id).is_constant()) continue;
      throw Error(ErrorKind::kInternal, "the part of the graph reads '" + graph.value(id).name + "', too");
    }
    wanted[static_cast<size_t>(producer)] = true;
    const Node& node = graph.nodes[static_cast<size_t>(producer)];
    open.insert(open.end(), node.inputs.begin(), node.inputs.end());
  }
  Graph part;
  part.name = graph.name;
  part.info = graph.info;
  part.values = graph.values;
  for (size_t v = 0; v < part.values.size(); ++v)
    if (!reached[v]) part.values[v].initializer = Tensor();
  part.inputs = inputs;
  part.outputs = outputs;
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    if (wanted[n]) part.nodes.push_back(graph.nodes[n]);
  return part;
}

}  // namespace quantize
