// Sharing scales. Read SharedScales::share() first.
#include "core/quantization/shared_scales.h"

#include <algorithm>

#include "core/fusion/patterns.h"
#include "core/quantization/reasons.h"

namespace quantize {

namespace {

class SharedScales {
 public:
  SharedScales(const Graph& graph, const GraphIndex& index, const QuantizationScheme& scheme,
               const std::vector<Candidate>& candidates, QuantizationPlan& plan)
      : graph_(graph), index_(index), scheme_(scheme), candidates_(candidates), plan_(plan) {}

  /// Later ones first, so that a Concat within a Concat hands on what it got.
  std::map<NodeId, std::string> share() {
    std::map<NodeId, std::string> refused;
    for (size_t n = graph_.nodes.size(); n-- > 0;) {
      const IntegerOperator* kernel = candidates_[n].kernel;
      if (plan_.nodes[n].placement != Placement::kInteger || kernel == nullptr ||
          kernel->scales == ScaleSharing::kNone)
        continue;
      const auto node = static_cast<NodeId>(n);
      const ValueId y = planned_output(graph_, plan_, node);
      for (ValueId x : graph_.nodes[n].inputs) {
        if (x == kNoValue || !value(x).params || value(x).source == value(y).source) continue;
        if (kernel->scales == ScaleSharing::kWhereAlone)
          take_scale(x, y, node);
        else if (!join(x, y, node))
          refused[node] = text_of(Cause::kNoSharedScale, {graph_.value(x).name, plan_.target});
      }
    }
    share_converted();
    return refused;
  }

 private:
  PlannedValue& value(ValueId id) { return plan_.values[static_cast<size_t>(id)]; }
  const PlannedNode& planned(NodeId n) const { return plan_.nodes[static_cast<size_t>(n)]; }

  /// True if the node reads the value in codes of other bits than those it is held in.
  bool is_converted(ValueId x, NodeId node) const { return planned(node).converted.contains(x); }

  /// A value that a node converts in front of it takes the scale of its output, where all must have one.
  void share_converted() {
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const IntegerOperator* kernel = candidates_[n].kernel;
      if (plan_.nodes[n].converted.empty() || kernel->scales != ScaleSharing::kAlways) continue;
      const ValueId y = planned_output(graph_, plan_, static_cast<NodeId>(n));
      for (auto& [x, params] : plan_.nodes[n].converted) params = *value(y).params;
    }
  }

  /// All that has the scale of x.
  std::vector<ValueId> group_of(ValueId x) {
    std::vector<ValueId> group;
    for (size_t id = 0; id < plan_.values.size(); ++id)
      if (plan_.values[id].params && plan_.values[id].source == value(x).source)
        group.push_back(static_cast<ValueId>(id));
    return group;
  }
  void set_scale(ValueId id, const PlannedValue& shared, NodeId node) {
    value(id) = shared;
    value(id).reason = text_of(
        Cause::kMadeOne, {graph_.value(shared.source).name, graph_.nodes[static_cast<size_t>(node)].name});
  }

  /// x and what shares its scale take that of y, if only this node reads them.
  void take_scale(ValueId x, ValueId y, NodeId node) {
    if (is_converted(x, node)) return;
    const std::vector<ValueId> group = group_of(x);
    for (ValueId id : group)
      if (index_.producer(id) == kNoNode || !fits(id, value(y)) || !is_for(id, node, group)) return;
    for (ValueId id : group) set_scale(id, value(y), node);
  }

  /// x, y and what shares their scales take one that holds the ranges of all. False: some of them cannot.
  bool join(ValueId x, ValueId y, NodeId node) {
    const std::vector<ValueId> with_x = is_converted(x, node) ? std::vector<ValueId>{} : group_of(x),
                               with_y = group_of(y);
    PlannedValue shared = value(y);
    shared.range = {std::min(shared.range.min, value(x).range.min),
                    std::max(shared.range.max, value(x).range.max)};
    shared.params = choose_quant_params(
        {shared.range},
        activation_type(scheme_, graph_.value(shared.source).name, bits_of(shared.params->dtype)));
    const auto can = [&](ValueId id) { return fits(id, shared); };
    if (!std::all_of(with_x.begin(), with_x.end(), can) || !std::all_of(with_y.begin(), with_y.end(), can))
      return false;
    for (ValueId id : with_y) {
      value(id).range = shared.range;
      value(id).params = shared.params;
    }
    for (ValueId id : with_x) set_scale(id, shared, node);
    return true;
  }

  /// True if nothing but its range speaks against it.
  bool fits(ValueId id, const PlannedValue& shared) {
    const QuantParams &own = *value(id).params, &params = *shared.params;
    if (value(id).is_fixed && own != params) return false;
    const NodeId producer = index_.producer(id);
    const ValueOverride* specific = find_override(scheme_, graph_.value(id).name);
    const bool is_told = has_own_wish(scheme_, graph_.value(id).name, graph_.value(shared.source).name) ||
                         (specific != nullptr && sets_range(*specific));
    if (is_told || !own.per_tensor() || own.dtype != params.dtype || own.quant_min != params.quant_min ||
        own.quant_max != params.quant_max)
      return false;
    return producer == kNoNode || planned(producer).placement != Placement::kAbsorbed ||
           !cuts_codes(*constant_clamp(graph_, graph_.nodes[static_cast<size_t>(producer)]), params);
  }

  /// True if only this node reads the value, or what hands its codes on within the group.
  bool is_for(ValueId id, NodeId node, const std::vector<ValueId>& group) const {
    const auto stays_inside = [&](const GraphIndex::Use& use) {
      const auto& outputs = graph_.nodes[static_cast<size_t>(use.node)].outputs;
      return use.node == node || (planned(use.node).placement == Placement::kInteger &&
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
  const std::vector<Candidate>& candidates_;
  QuantizationPlan& plan_;
};

}  // namespace

std::map<NodeId, std::string> share_scales(const Graph& graph, const GraphIndex& index,
                                           const QuantizationScheme& scheme,
                                           const std::vector<Candidate>& candidates, QuantizationPlan& plan) {
  return SharedScales(graph, index, scheme, candidates, plan).share();
}

}  // namespace quantize
