#include "core/quantization/plan.h"

#include "core/quantization/modes/mode.h"
#include "core/quantization/modes/pack_bits.h"
#include "core/quantization/node_selection.h"
#include "core/quantization/quantize_weights.h"
#include "core/quantization/reasons.h"

namespace quantize {

int64_t StoredWeights::bits() const {
  return width != 0 ? width : 8 / packed_per_byte(dtype);
}

uint64_t StoredWeights::bytes() const {
  const auto count = static_cast<uint64_t>(codes.size()),
             each = static_cast<uint64_t>(packed_per_byte(dtype));
  return (width != 0 ? packed_bytes(count, width) : (count + each - 1) / each) + levels.byte_size() +
         scales.byte_size();
}

ValueId planned_output(const Graph& graph, const QuantizationPlan& plan, NodeId node) {
  while (plan.nodes[static_cast<size_t>(node)].tail != kNoNode)
    node = plan.nodes[static_cast<size_t>(node)].tail;
  return graph.nodes[static_cast<size_t>(node)].output(0);
}

const QuantParams& params_read_by(const QuantizationPlan& plan, const PlannedNode& node, ValueId activation) {
  const auto found = node.converted.find(activation);
  return found == node.converted.end() ? *plan.values[static_cast<size_t>(activation)].params : found->second;
}

Tensor weight_codes(const PlannedWeights& planned, const Tensor& weights) {
  return planned.codes ? *planned.codes : quantize_tensor(weights, planned.params);
}

SumBound bound_of_sums(const PlannedWeights& planned, const Tensor& weights, const WeightLayout& layout,
                       const QuantParams& input) {
  if (bits_of(input.dtype) == 16) return {};
  std::vector<double> bias;
  if (planned.bias_place == BiasPlace::kCodes)
    for (size_t c = 0; c < planned.bias.size(); ++c)
      bias.push_back(planned.bias[c] / double{bias_scale(planned.params, input, c)});
  const SumBound simple = bound_of_any_codes(layout, bias);
  if (simple.fits()) return simple;
  return bound_of_sums(weight_codes(planned, weights), planned.params.zero_point, layout, bias);
}

std::optional<std::string> float_reason(const PlannedModel& planned, NodeId node) {
  const auto& [graph, plan] = planned;
  const PlannedNode& own = plan.nodes[static_cast<size_t>(node)];
  if (own.placement == Placement::kFloat) return own.reason;
  if (own.in_float) return text_of(Cause::k16BitsInFloat, {plan.target});
  if (!plan.floats_kept_clamps || own.tail == kNoNode) return std::nullopt;
  const auto tail = static_cast<size_t>(own.tail);
  if (plan.nodes[tail].placement != Placement::kFloat) return std::nullopt;
  const std::string& clamp = graph.nodes[tail].name;
  return text_of(Cause::kFloatBeforeClamp, {plan.target, clamp, clamp, plan.nodes[tail].reason});
}

PlanSummary summarize(const PlannedModel& planned, const QuantizationScheme& scheme) {
  const auto& [graph, plan] = planned;
  PlanSummary summary;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const PlannedNode& node = plan.nodes[n];
    const auto reason = float_reason(planned, static_cast<NodeId>(n));
    const bool is_integer = !reason;
    if (!node.stored.empty()) {
      PlanSummary::Stored& stored = summary.by_mode[node.mode->name];
      ++stored.nodes;
      for (const StoredWeights& weights : node.stored) {
        stored.weights += static_cast<uint64_t>(weights.codes.size());
        stored.bytes += weights.bytes();
        ++stored.operands[weights.bits()];
      }
    }
    summary.macs += node.macs;
    const bool sixteen = is_integer && node.activation_bits == 16;
    if (is_integer) (sixteen ? summary.macs16 : summary.integer_macs) += node.macs;
    if (!is_integer && node.placement != Placement::kFloat && node.activation_bits == 8)
      ++summary.kept_clamps;
    summary.narrow += node.narrow;
    if (!node.wide_reason.empty()) {
      PlanSummary::Count& wide = summary.wide[source_op_type(scheme, graph.nodes[n])];
      ++wide.floating;
      ++wide.reasons[node.wide_reason];
    }
    if (scheme.added_nodes.contains(graph.nodes[n].name)) continue;
    PlanSummary::Count& count = summary.by_op_type[source_op_type(scheme, graph.nodes[n])];
    ++(sixteen ? count.sixteen : is_integer ? count.integer : count.floating);
    if (!is_integer) ++count.reasons[*reason];
  }
  return summary;
}

std::string cause_of(const std::string& reason) {
  std::string cause;
  bool quoted = false;
  for (const char c : reason) {
    quoted = quoted != (c == '\'');
    if (!quoted) cause += c;
  }
  return cause;
}

std::optional<std::string> why_all_float(const PlanSummary& summary) {
  std::map<std::string, std::pair<size_t, std::string>> shared;  // cause -> nodes, the first such reason
  const std::pair<size_t, std::string>* most = nullptr;
  size_t integer = 0;
  for (const auto& [op_type, count] : summary.by_op_type) {
    integer += count.integer + count.sixteen;
    for (const auto& [reason, nodes] : count.reasons) {
      auto& group = shared.try_emplace(cause_of(reason), 0, reason).first->second;
      group.first += nodes;
      if (most == nullptr || group.first > most->first) most = &group;
    }
  }
  const bool any = summary.macs != 0 ? summary.integer_macs + summary.macs16 != 0 : integer != 0;
  if (any || most == nullptr) return std::nullopt;
  return most->second;
}

}  // namespace quantize
