#include "core/quantization/plan.h"

#include "core/quantization/quantize_weights.h"

namespace quantize {

ValueId planned_output(const Graph& graph, const QuantizationPlan& plan, NodeId node) {
  while (plan.nodes[static_cast<size_t>(node)].tail != kNoNode)
    node = plan.nodes[static_cast<size_t>(node)].tail;
  return graph.nodes[static_cast<size_t>(node)].output(0);
}

Tensor weight_codes(const PlannedWeights& planned, const Tensor& weights) {
  return planned.codes ? *planned.codes : quantize_tensor(weights, planned.params);
}

SumBound bound_of_sums(const PlannedWeights& planned, const Tensor& weights, const WeightLayout& layout,
                       const QuantParams& input) {
  std::vector<double> bias;
  if (planned.bias_input)
    for (size_t c = 0; c < planned.bias.size(); ++c)
      bias.push_back(planned.bias[c] / double{bias_scale(planned.params, input, c)});
  const SumBound simple = bound_of_any_codes(layout, bias);
  if (simple.fits()) return simple;
  return bound_of_sums(weight_codes(planned, weights), planned.params.zero_point, layout, bias);
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
