// Dead code: walks backwards from the outputs.
#include <algorithm>
#include <utility>

#include "core/passes/passes.h"

namespace quantize {

void drop_nodes(Graph& graph, const std::vector<bool>& dropped) {
  size_t kept = 0;
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    if (!dropped[n]) std::swap(graph.nodes[kept++], graph.nodes[n]);
  graph.nodes.resize(kept);
}

void remove_dead_nodes(Graph& graph, const std::vector<bool>& keep) {
  std::vector<bool> needed = keep;
  needed.resize(graph.values.size(), false);
  for (ValueId id : graph.outputs) needed[static_cast<size_t>(id)] = true;
  std::vector<Node> alive;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool used = std::any_of(node->outputs.begin(), node->outputs.end(), [&](ValueId id) {
      return id != kNoValue && needed[static_cast<size_t>(id)];
    });
    if (!used) continue;
    for (ValueId id : node->inputs)
      if (id != kNoValue) needed[static_cast<size_t>(id)] = true;
    alive.push_back(std::move(*node));
  }
  std::reverse(alive.begin(), alive.end());
  graph.nodes = std::move(alive);
}

}  // namespace quantize
