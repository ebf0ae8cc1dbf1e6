#include "core/quantization/tails.h"

#include <algorithm>

namespace quantize {

bool implies(const QuantParams& params, const Clamp& clamp) {
  for (size_t c = 0; c < params.scale.size(); ++c) {
    const float scale = params.scale[c];
    const float low = dequantize_value(params.quant_min, scale, params.zero_point[c]);
    const float high = dequantize_value(params.quant_max, scale, params.zero_point[c]);
    if (!(low > clamp.low - scale / 2 && high < clamp.high + scale / 2)) return false;
  }
  return true;
}

bool is_image_conv(const Graph& graph, const Node& node) {
  if (node.op_type != "Conv" || !node.domain.empty()) return false;
  const auto& weights = graph.value(node.inputs[1]).shape;
  return weights && weights->size() == 4 && is_static(*weights);
}

Tails::Tails(const Graph& graph, const GraphIndex& index, const std::vector<Candidate>& candidates,
             const TargetProfile& target)
    : clamps_(graph.nodes.size(), kNoNode),
      functions_(graph.nodes.size()),
      additions_(graph.nodes.size()),
      before_(graph.nodes.size(), kNoNode) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!candidates[n]) continue;
    const Node& node = graph.nodes[n];
    const ValueId output = node.outputs[0];
    clamps_[n] = clamp_reading(graph, index, output);
    NodeId last = clamps_[n];
    if (last == kNoNode && is_image_conv(graph, node)) {
      if (target.fuses_functions) functions_[n] = function_behind(graph, index, output);
      if (functions_[n] &&
          std::any_of(functions_[n]->nodes.begin(), functions_[n]->nodes.end(),
                      [&](NodeId part) { return candidates[static_cast<size_t>(part)].is_excluded; }))
        functions_[n].reset();
      if (target.joins_residuals) additions_[n] = addition_reading(graph, index, output);
      if (additions_[n] && (!candidates[static_cast<size_t>(additions_[n]->add)] ||
                            index.producer(additions_[n]->other) >= static_cast<NodeId>(n)))
        additions_[n].reset();
      if (functions_[n]) last = functions_[n]->nodes.back();
      if (additions_[n]) last = additions_[n]->add;
    }
    if (last != kNoNode) before_[static_cast<size_t>(last)] = static_cast<NodeId>(n);
  }
}

}  // namespace quantize
