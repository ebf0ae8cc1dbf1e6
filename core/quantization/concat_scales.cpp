// Sharing scales. Read share_concat_scales() first.
#include "core/quantization/concat_scales.h"

#include <algorithm>

#include "core/fusion/patterns.h"
#include "core/quantization/tails.h"

namespace quantize {

namespace {

class ConcatScales {
 public:
  ConcatScales(const Graph& graph, const GraphIndex& index, const QuantizationScheme& scheme,
               QuantizationPlan& plan)
      : graph_(graph), index_(index), scheme_(scheme), plan_(plan) {}

  /// Later ones first, so that a Concat within a Concat hands on what it got.
  void share() {
    for (size_t n = graph_.nodes.size(); n-- > 0;) {
      const Node& node = graph_.nodes[n];
      if (plan_.nodes[n].placement != Placement::kInteger || node.op_type != "Concat") continue;
      const ValueId y = node.outputs[0];
      for (ValueId x : node.inputs)
        if (value(x).params && value(x).source != value(y).source) share(x, y, static_cast<NodeId>(n));
    }
  }

 private:
  PlannedValue& value(ValueId id) { return plan_.values[static_cast<size_t>(id)]; }
  const PlannedNode& planned(NodeId n) const { return plan_.nodes[static_cast<size_t>(n)]; }

  void share(ValueId x, ValueId y, NodeId concat) {
    std::vector<ValueId> group;  // all that has the scale of x
    for (size_t id = 0; id < plan_.values.size(); ++id)
      if (plan_.values[id].params && plan_.values[id].source == value(x).source)
        group.push_back(static_cast<ValueId>(id));
    for (ValueId id : group)
      if (!fits(id, value(y)) || !is_for(id, concat, group)) return;
    for (ValueId id : group) {
      value(id) = value(y);
      value(id).reason = "scale of '" + graph_.value(value(y).source).name + "', which '" +
                         graph_.nodes[static_cast<size_t>(concat)].name + "' makes of it";
    }
  }

  /// True if nothing but its range speaks against it.
  bool fits(ValueId id, const PlannedValue& shared) {
    const QuantParams &own = *value(id).params, &params = *shared.params;
    const NodeId producer = index_.producer(id);
    if (producer == kNoNode || find_override(scheme_, graph_.value(id).name) != nullptr ||
        !own.per_tensor() || own.dtype != params.dtype || own.quant_min != params.quant_min ||
        own.quant_max != params.quant_max)
      return false;
    return planned(producer).placement != Placement::kAbsorbed ||
           implies(params, *constant_clamp(graph_, graph_.nodes[static_cast<size_t>(producer)]));
  }

  /// True if only the Concat reads the value, or what hands its codes on within the group.
  bool is_for(ValueId id, NodeId concat, const std::vector<ValueId>& group) const {
    const auto stays_inside = [&](const GraphIndex::Use& use) {
      const auto& outputs = graph_.nodes[static_cast<size_t>(use.node)].outputs;
      return use.node == concat || (planned(use.node).placement == Placement::kInteger &&
                                    std::all_of(outputs.begin(), outputs.end(), [&](ValueId output) {
                                      return output == kNoValue ||
                                             std::find(group.begin(), group.end(), output) != group.end();
                                    }));
    };
    const auto& uses = index_.uses(id);
    return std::all_of(uses.begin(), uses.end(), stays_inside);
  }

  const Graph& graph_;
  const GraphIndex& index_;
  const QuantizationScheme& scheme_;
  QuantizationPlan& plan_;
};

}  // namespace

void share_concat_scales(const Graph& graph, const GraphIndex& index, const QuantizationScheme& scheme,
                         QuantizationPlan& plan) {
  ConcatScales(graph, index, scheme, plan).share();
}

}  // namespace quantize
