#include "core/quantization/plan.h"

namespace quantize {

ValueId planned_output(const Graph& graph, const QuantizationPlan& plan, NodeId node) {
  while (plan.nodes[static_cast<size_t>(node)].tail != kNoNode)
    node = plan.nodes[static_cast<size_t>(node)].tail;
  return graph.nodes[static_cast<size_t>(node)].output(0);
}

Tensor weight_codes(const PlannedWeights& planned, const Tensor& weights) {
  return planned.codes ? *planned.codes : quantize_tensor(weights, planned.params);
}

PlanSummary summarize(const Graph& graph, const QuantizationPlan& plan) {
  PlanSummary summary;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const PlannedNode& node = plan.nodes[n];
    PlanSummary::Count& count = summary.by_op_type[graph.nodes[n].op_type];
    summary.macs += node.macs;
    if (node.placement == Placement::kFloat) {
      ++count.floating;
      ++count.reasons[node.reason];
    } else {
      ++count.integer;
      summary.integer_macs += node.macs;
    }
  }
  return summary;
}

}  // namespace quantize
