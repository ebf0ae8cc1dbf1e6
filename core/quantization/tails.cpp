#include "core/quantization/tails.h"

#include <algorithm>

#include "core/passes/patterns.h"

namespace quantize {

bool is_image_conv(const Graph& graph, const Node& node) {
  if (node.op_type != "Conv" || !node.domain.empty()) return false;
  const auto& weights = graph.value(node.inputs[1]).shape;
  return weights && weights->size() == 4 && is_static(*weights);
}

Tails::Tails(const Graph& graph, const GraphIndex& index, const std::vector<Candidate>& candidates,
             bool functions)
    : clamps_(graph.nodes.size(), kNoNode),
      functions_(graph.nodes.size()),
      before_(graph.nodes.size(), kNoNode) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!candidates[n]) continue;
    const Node& node = graph.nodes[n];
    const ValueId output = node.outputs[0];
    clamps_[n] = clamp_reading(graph, index, output);
    if (functions && clamps_[n] == kNoNode && is_image_conv(graph, node))
      functions_[n] = function_behind(graph, index, output);
    if (functions_[n] &&
        std::any_of(functions_[n]->nodes.begin(), functions_[n]->nodes.end(),
                    [&](NodeId part) { return candidates[static_cast<size_t>(part)].is_excluded; }))
      functions_[n].reset();
    const NodeId last = functions_[n] ? functions_[n]->nodes.back() : clamps_[n];
    if (last != kNoNode) before_[static_cast<size_t>(last)] = static_cast<NodeId>(n);
  }
}

}  // namespace quantize
