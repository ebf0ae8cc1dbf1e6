// Node by node, then what stands alone is taken back. Read plan_rest(), at the end, first.
#include "core/quantization/rest/plan_rest.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/quantization/reasons.h"
#include "core/quantization/rest/narrow_operators.h"

namespace quantize {

namespace {

/// The ends of a type of 16 bits.
struct HalfType {
  double largest, smallest;  // normal numbers
};

HalfType half_type(DataType dtype) {
  return dtype == DataType::kF16 ? HalfType{65504, 6.103515625e-05} : HalfType{3.3895314e38, 1.1754944e-38};
}

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", x);
  return text;
}

class RestPlanner {
 public:
  RestPlanner(const Graph& graph, const RangeTable& ranges, QuantizationPlan& plan)
      : graph_(graph), index_(graph), ranges_(ranges), plan_(plan), type_(half_type(plan.rest)) {}

  void run() {
    mark_islands();
    for (size_t n = 0; n < plan_.nodes.size(); ++n) {
      PlannedNode& planned = plan_.nodes[n];
      if (planned.placement != Placement::kFloat || in_island_[n] || !makes_reals(graph_.nodes[n])) continue;
      planned.wide_reason = wide_reason(graph_.nodes[n], planned);
      planned.narrow = planned.wide_reason.empty();
    }
    for (bool changed = true; changed;) changed = take_back();
  }

 private:
  static size_t at(int32_t id) { return static_cast<size_t>(id); }

  /// Clamps that stay between an integer node and its rounding are computed as that node is.
  void mark_islands() {
    in_island_.assign(plan_.nodes.size(), false);
    for (const PlannedNode& planned : plan_.nodes)
      if (planned.tail != kNoNode) in_island_[at(planned.tail)] = true;
  }

  std::string wide_reason(const Node& node, const PlannedNode& planned) const {
    if (!planned.stored.empty()) return text_of(Cause::kReadsStored);
    const Narrowing narrowing = narrowing_of(node);
    if (narrowing == Narrowing::kUnknown) return text_of(Cause::kNoNarrowForm);
    if (narrowing == Narrowing::kWide) return text_of(Cause::kWideOperator);
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (std::string reason = stays_f32(node, i) ? "" : value_reason(node.inputs[i]); !reason.empty())
        return reason;
    for (const ValueId id : node.outputs)
      if (std::string reason = value_reason(id); !reason.empty()) return reason;
    return "";
  }

  /// False for what computes shapes and indices.
  bool makes_reals(const Node& node) const {
    return std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return id != kNoValue && graph_.value(id).dtype == DataType::kF32;
    });
  }

  /// Why a value does not fit into 16 bits; "": it does.
  std::string value_reason(ValueId id) const {
    if (id == kNoValue || graph_.value(id).dtype != DataType::kF32) return "";
    if (const Tensor* constant = graph_.constant(id)) return constant_reason(id, *constant);
    const ValueRange* range = ranges_.find(graph_.value(id).name);
    if (range == nullptr) return "";
    if (range->non_finite != 0) return text_of(Cause::kNotFiniteValue, {graph_.value(id).name});
    double largest = 0;
    for (const auto& list : {range->ranges, range->channel_ranges})
      for (const Range& each : list) largest = std::max({largest, -double{each.min}, double{each.max}});
    // As images may come that reach further than those that were seen.
    if (!(2 * largest <= type_.largest))
      return text_of(Cause::kTooLarge, {graph_.value(id).name, number(largest)});
    return "";
  }

  std::string constant_reason(ValueId id, const Tensor& constant) const {
    const float* x = constant.data<float>();
    for (int64_t i = 0; i < constant.size(); ++i)
      if (!(std::abs(double{x[i]}) <= type_.largest))
        return text_of(Cause::kTooLarge, {graph_.value(id).name, number(double{x[i]})});
    const bool tiny = constant.size() == 1 && x[0] != 0 && std::abs(double{x[0]}) < type_.smallest;
    return tiny ? text_of(Cause::kTooSmall, {graph_.value(id).name, number(double{x[0]})}) : "";
  }

  bool is_narrow(NodeId n) const { return n != kNoNode && plan_.nodes[at(n)].narrow; }

  bool has_narrow_neighbour(const Node& node) const {
    for (const ValueId id : node.inputs)
      if (id != kNoValue && is_narrow(index_.producer(id))) return true;
    for (const ValueId id : node.outputs)
      if (id != kNoValue)
        for (const GraphIndex::Use& use : index_.uses(id))
          if (is_narrow(use.node)) return true;
    return false;
  }

  /// True if some node that would need two casts for itself alone was taken back.
  bool take_back() {
    bool changed = false;
    for (size_t n = 0; n < plan_.nodes.size(); ++n) {
      PlannedNode& planned = plan_.nodes[n];
      const Node& node = graph_.nodes[n];
      if (!planned.narrow || narrowing_of(node) == Narrowing::kLayer || has_narrow_neighbour(node)) continue;
      planned.narrow = false;
      planned.wide_reason = text_of(Cause::kAloneInWide);
      changed = true;
    }
    return changed;
  }

  const Graph& graph_;
  const GraphIndex index_;
  const RangeTable& ranges_;
  QuantizationPlan& plan_;
  const HalfType type_;
  std::vector<bool> in_island_;
};

}  // namespace

void plan_rest(const Graph& graph, const RangeTable& ranges, const QuantizationScheme& scheme,
               QuantizationPlan& plan) {
  plan.rest = scheme.rest;
  if (scheme.rest != DataType::kF32) RestPlanner(graph, ranges, plan).run();
}

void check_rest(const QuantizationScheme& scheme, const TargetProfile& target) {
  if (scheme.rest == DataType::kF32 ||
      std::find(target.rest_types.begin(), target.rest_types.end(), scheme.rest) != target.rest_types.end())
    return;
  std::string types = "f32";
  for (const DataType type : target.rest_types) types += ", " + std::string(name_of(type));
  throw Error(ErrorKind::kInvalidArgument, std::string("target ") + target.name + " computes the rest in " +
                                               types + ", not in " + std::string(name_of(scheme.rest)) +
                                               "; give another --rest, or another target");
}

int64_t opset_of_rest(const QuantizationScheme& scheme) {
  constexpr int64_t kLastChange = 21;  // narrow_rest writes 22, whose Conv has bf16
  return scheme.rest == DataType::kBF16 ? kLastChange : 0;
}

}  // namespace quantize
