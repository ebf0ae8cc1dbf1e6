// Gives every node a name of its own, so that options and reports can speak of it.
#include <unordered_set>

#include "core/passes/passes.h"

namespace quantize {

void name_nodes(Graph& graph) {
  std::unordered_set<std::string> taken;
  std::vector<Node*> nameless;
  for (Node& node : graph.nodes)
    if (node.name.empty() || !taken.insert(node.name).second) nameless.push_back(&node);
  for (Node* node : nameless) {
    std::string wanted = node->name;
    for (size_t i = 0; wanted.empty() && i < node->outputs.size(); ++i)
      if (node->outputs[i] != kNoValue) wanted = graph.value(node->outputs[i]).name;
    node->name = wanted;
    for (int suffix = 1; !taken.insert(node->name).second; ++suffix)
      node->name = wanted + "_" + std::to_string(suffix);
  }
}

}  // namespace quantize
