// Shields and barriers. Read plan_shields(), at the end, first.
#include "core/quantization/plan_shields.h"

#include "core/fusion/patterns.h"
#include "core/integer/forms.h"

namespace quantize {

namespace {

class ShieldPlanner {
 public:
  ShieldPlanner(const Graph& graph, const GraphIndex& index, const TargetProfile& target,
                const QuantizationPlan& plan)
      : graph_(graph), index_(index), target_(target), plan_(plan) {}

  /// True if the runtime would compute on codes what makes this value, which is planned as float. A
  /// QuantizeLinear behind a clamp, a factor or what moves elements is moved in front of it first.
  bool needs_shield(ValueId id) const {
    for (NodeId n = float_maker(id); n != kNoNode; n = float_maker(graph_.nodes[at(n)].inputs[0])) {
      const Node& node = graph_.nodes[at(n)];
      if (constant_clamp(graph_, node) || passes_codes(node)) continue;
      const UnaskedFusion* fusion = target_.find_unasked(node);
      return fusion != nullptr && reads_codes(node, *fusion);
    }
    return false;
  }

  /// True if the runtime would lay the node's image in another way and compute it wrongly then. The barrier
  /// goes by channels, whose number must be known.
  bool needs_barrier(NodeId n) const {
    const Node& node = graph_.nodes[at(n)];
    if (plan_.nodes[at(n)].placement != Placement::kFloat || !target_.mislays(graph_, node)) return false;
    const auto& shape = graph_.value(node.inputs[0]).shape;
    return shape && shape->size() > 1 && (*shape)[1] != kUnknownDim;
  }

 private:
  static size_t at(int32_t id) { return static_cast<size_t>(id); }

  /// True for what moves elements, and for one constant factor, which joins the scale: a DequantizeLinear is
  /// moved behind it, a QuantizeLinear in front.
  bool passes_codes(const Node& node) const {
    return quantization_of(graph_, node) == QuantizationRule::kPassThrough ||
           constant_factor(graph_, node) != nullptr;
  }

  /// The node that computes the value in float, or kNoNode.
  NodeId float_maker(ValueId id) const {
    const NodeId n = index_.producer(id);
    return n != kNoNode && plan_.nodes[at(n)].placement == Placement::kFloat ? n : kNoNode;
  }

  bool reads_codes(const Node& node, const UnaskedFusion& fusion) const {
    bool reads = false;
    for (ValueId id : node.inputs) {
      if (id == kNoValue || graph_.value(id).dtype != DataType::kF32) continue;
      const bool constant = graph_.value(id).is_constant();
      if (constant ? !fusion.rounds_constants : !is_dequantized(id)) return false;
      reads = reads || !constant;
    }
    return reads;
  }

  /// True if a DequantizeLinear makes the value, or will once it has been moved.
  bool is_dequantized(ValueId id) const {
    for (NodeId n = float_maker(id); n != kNoNode; n = float_maker(id)) {
      if (!passes_codes(graph_.nodes[at(n)])) return false;
      id = graph_.nodes[at(n)].inputs[0];
    }
    const NodeId producer = index_.producer(id);
    return producer != kNoNode && !plan_.nodes[at(producer)].returns_reals &&
           plan_.values[at(id)].params.has_value();
  }

  const Graph& graph_;
  const GraphIndex& index_;
  const TargetProfile& target_;
  const QuantizationPlan& plan_;
};

}  // namespace

void plan_shields(const Graph& graph, const GraphIndex& index, const TargetProfile& target,
                  QuantizationPlan& plan) {
  const ShieldPlanner planner(graph, index, target, plan);
  for (size_t v = 0; v < plan.values.size(); ++v)
    plan.values[v].shielded = plan.values[v].params && planner.needs_shield(static_cast<ValueId>(v));
  for (size_t n = 0; n < plan.nodes.size(); ++n)
    plan.nodes[n].behind_barrier = planner.needs_barrier(static_cast<NodeId>(n));
}

}  // namespace quantize
