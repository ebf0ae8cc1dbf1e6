#include "core/quantization/tails.h"

#include "core/passes/function_pattern.h"
#include "core/passes/patterns.h"

namespace quantize {

bool is_image_conv(const Graph& graph, const Node& node) {
  if (node.op_type != "Conv" || !node.domain.empty()) return false;
  const auto& weights = graph.value(node.inputs[1]).shape;
  return weights && weights->size() == 4 && is_static(*weights);
}

Tails::Tails(std::vector<Tail> tails) : tails_(std::move(tails)), before_(tails_.size(), kNoNode) {
  for (size_t n = 0; n < tails_.size(); ++n)
    if (!tails_[n].nodes.empty())
      before_[static_cast<size_t>(tails_[n].nodes.back())] = static_cast<NodeId>(n);
}

Tails find_tails(const Graph& graph, const GraphIndex& index, const std::vector<Candidate>& candidates,
                 bool functions) {
  std::vector<Tails::Tail> tails(graph.nodes.size());
  for (size_t n = 0; n < tails.size(); ++n) {
    if (!candidates[n]) continue;
    const Node& node = graph.nodes[n];
    const ValueId output = node.outputs[0];
    if (index.single_use(output)) {
      const NodeId reader = index.uses(output)[0].node;
      if (constant_clamp(graph, graph.nodes[static_cast<size_t>(reader)])) tails[n].nodes = {reader};
    }
    if (!tails[n].nodes.empty() || !functions || !is_image_conv(graph, node)) continue;
    if (const auto function = function_behind(graph, index, output)) tails[n] = {function->nodes, true};
  }
  return Tails(std::move(tails));
}

}  // namespace quantize
