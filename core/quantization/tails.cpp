#include "core/quantization/tails.h"

#include <algorithm>

namespace quantize {

Tails::Tails(const Graph& graph, const GraphIndex& index, const std::vector<Candidate>& candidates,
             const TargetProfile& target)
    : clamps_(graph.nodes.size(), kNoNode),
      functions_(graph.nodes.size()),
      additions_(graph.nodes.size()),
      before_(graph.nodes.size(), kNoNode) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!candidates[n]) continue;
    const auto node = static_cast<NodeId>(n);
    clamps_[n] = clamp_reading(graph, index, graph.nodes[n].outputs[0]);
    if (clamps_[n] != kNoNode) {
      before_[static_cast<size_t>(clamps_[n])] = node;
      continue;
    }
    if (target.find_fusion(FusedPart::kFunction, graph, graph.nodes[n]) != nullptr)
      find_function(graph, index, candidates, node);
    if (target.find_fusion(FusedPart::kResidual, graph, graph.nodes[n]) != nullptr)
      find_addition(graph, index, candidates, node);
  }
}

void Tails::find_function(const Graph& graph, const GraphIndex& index,
                          const std::vector<Candidate>& candidates, NodeId conv) {
  const auto n = static_cast<size_t>(conv);
  functions_[n] = function_behind(graph, index, graph.nodes[n].outputs[0]);
  if (!functions_[n]) return;
  const auto is_excluded = [&](NodeId part) { return candidates[static_cast<size_t>(part)].is_excluded; };
  if (std::any_of(functions_[n]->nodes.begin(), functions_[n]->nodes.end(), is_excluded))
    functions_[n].reset();
  else
    before_[static_cast<size_t>(functions_[n]->nodes.back())] = conv;
}

void Tails::find_addition(const Graph& graph, const GraphIndex& index,
                          const std::vector<Candidate>& candidates, NodeId conv) {
  const auto n = static_cast<size_t>(conv);
  const NodeId last = functions_[n] ? functions_[n]->nodes.back() : conv;
  const auto found = addition_reading(graph, index, graph.nodes[static_cast<size_t>(last)].outputs[0]);
  if (!found || !candidates[static_cast<size_t>(found->add)]) return;
  if (functions_[n] && index.producer(found->other) >= conv) return;
  NodeId& before = before_[static_cast<size_t>(found->add)];
  if (before != kNoNode) {
    // The other operand's convolution, which stands earlier, makes the residual of this one.
    const NodeId other =
        before_[static_cast<size_t>(before)] == kNoNode ? before : before_[static_cast<size_t>(before)];
    additions_[static_cast<size_t>(other)].reset();
  }
  before = last;
  additions_[n] = found;
}

}  // namespace quantize
