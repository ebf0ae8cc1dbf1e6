#include "core/quantization/candidates.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/fusion/patterns.h"
#include "core/integer/forms.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/node_selection.h"
#include "core/quantization/reasons.h"

namespace quantize {

namespace {

bool all_finite(const Tensor& tensor) {
  const float* x = tensor.data<float>();
  return std::all_of(x, x + tensor.size(), [](float v) { return std::isfinite(v); });
}

/// Why the operator's sums of codes could be too large; nothing: they cannot.
FloatReason sums_reason(const Graph& graph, const Node& node) {
  const IntegerForm* form = integer_form_of(node);
  if (form == nullptr || form->bound == nullptr) return std::nullopt;
  const auto& shape = graph.value(node.inputs[0]).shape;
  const SumBound bound = form->bound(node, shape ? Dims(*shape) : Dims());
  if (bound.fits()) return std::nullopt;
  return text_of(Cause::kSumsOfCodes, {std::to_string(static_cast<uint64_t>(bound.codes))});
}

FloatReason type_reason(const Graph& graph, const GraphIndex& index, const Node& node,
                        const Candidate& candidate) {
  for (ValueId id : candidate.activations) {
    if (graph.value(id).is_constant()) return text_of(Cause::kReadsConstant, {graph.value(id).name});
    if (graph.value(id).dtype != DataType::kF32)
      return text_of(Cause::kInputType, {graph.value(id).name, std::string(name_of(graph.value(id).dtype))});
  }
  for (ValueId id : node.outputs)
    if (id != kNoValue && graph.value(id).dtype != DataType::kF32 &&
        (index.is_output(id) || !index.uses(id).empty()))
      return text_of(Cause::kOutputType, {std::string(name_of(graph.value(id).dtype))});
  return std::nullopt;
}

bool weights_disabled(const Graph& graph, const Node& node, const QuantizationScheme& scheme) {
  const ValueOverride* specific = find_override(scheme, graph.value(node.inputs[1]).name);
  return specific != nullptr && specific->enabled && !*specific->enabled;
}

/// The facts that decide about all nodes.
struct Rules {
  const NodeSelection selection;
  const ModeChoice modes;
  const ModeRequest request;
};

FloatReason no_kernel(const ModeRequest& request, const Node& node) {
  const std::string modes = modes_that_take(request, node);
  if (modes.empty()) return text_of(Cause::kNoKernel, {request.target.name});
  return text_of(Cause::kOtherMode, {request.target.name, modes});
}

Candidate examine(const GraphIndex& index, const Node& node, const Rules& rules) {
  const Graph& graph = rules.request.graph;
  const TargetProfile& target = rules.request.target;
  Candidate candidate;
  find_op(graph, node);  // which says if there is none
  candidate.rule = quantization_of(graph, node);
  const IntegerOperator* kernel = target.find(graph, node);
  // An operator that our engine has no integer form of is computed between Q and DQ, as the runtime says.
  if (kernel != nullptr && candidate.rule == QuantizationRule::kFloat && !fills(graph, node))
    candidate.rule = QuantizationRule::kArithmetic;
  const FloatReason excluded = rules.selection.reason(node);
  const bool by_ranges = rules.modes.of(node).takes_ranges;
  candidate.is_excluded = excluded || !by_ranges;
  if (!by_ranges)
    candidate.float_reason = text_of(Cause::kModeFloat);  // until plan_modes has its own
  else if (candidate.rule == QuantizationRule::kActivation)
    candidate.float_reason = text_of(Cause::kNoAbsorber);
  else if (kernel == nullptr || candidate.rule == QuantizationRule::kFloat)
    candidate.float_reason = no_kernel(rules.request, node);
  else
    candidate.float_reason = excluded;
  if (!candidate || kernel == nullptr) return candidate;
  candidate.kernel = kernel;
  candidate.activations = code_operands(graph, node);
  if (candidate.rule == QuantizationRule::kWeighted)
    candidate.float_reason = layer_reason(graph, node, candidate.layout);
  if (candidate) candidate.float_reason = sums_reason(graph, node);
  if (candidate) candidate.float_reason = type_reason(graph, index, node, candidate);
  return candidate;
}

}  // namespace

FloatReason layer_reason(const Graph& graph, const Node& node, std::optional<WeightLayout>& layout) {
  const Tensor* weights = graph.constant(node.input(1));
  if (weights == nullptr)
    return graph.value(node.inputs[0]).is_constant() ? text_of(Cause::kWeightsOnLeft)
                                                     : text_of(Cause::kTwoActivations);
  layout = find_op(graph, node).weight_layout(node, weights->shape());
  // The channels of a matrix stand on axis 0 or 1; behind further axes no runtime takes a scale for each.
  if (!layout || layout->size() != weights->size() || layout->channel_axis > 1)
    return text_of(Cause::kNoMatrix);
  if (weights->dtype() != DataType::kF32 || !all_finite(*weights)) return text_of(Cause::kWeightsNotFinite);
  if (node.int_attribute("transA", 0) != 0) return text_of(Cause::kTransposed);
  if (node.float_attribute("alpha", 1) != 1 || node.float_attribute("beta", 1) != 1)
    return text_of(Cause::kScaled);
  if (node.input(2) == kNoValue) return std::nullopt;
  const Tensor* bias = graph.constant(node.input(2));
  if (bias == nullptr) return text_of(Cause::kBiasComputed);
  if (bias->dtype() != DataType::kF32 || !row_of(*bias, layout->output_channels()))
    return text_of(Cause::kBiasByRow);
  if (!all_finite(*bias)) return text_of(Cause::kBiasNotFinite);
  return std::nullopt;
}

std::vector<Candidate> find_candidates(const Graph& graph, const GraphIndex& index,
                                       const QuantizationScheme& scheme, const TargetProfile& target) {
  const Rules rules{NodeSelection(scheme), ModeChoice(scheme), {graph, scheme, target}};
  std::vector<Candidate> candidates;
  for (const Node& node : graph.nodes) {
    candidates.push_back(
        with_context([&] { return describe(graph, node); }, [&] { return examine(index, node, rules); }));
    if (candidates.back().layout && weights_disabled(graph, node, scheme))
      candidates.back().float_reason = text_of(Cause::kWeightsDisabled);
  }
  return candidates;
}

Chains find_chains(const Graph& graph, const GraphIndex& index, const std::vector<Candidate>& candidates,
                   const TargetProfile& target) {
  return Chains(graph, index, [&](NodeId n) -> ChainRules {
    if (!candidates[static_cast<size_t>(n)]) return {};
    ChainRules rules = target.chain_rules(graph, graph.nodes[static_cast<size_t>(n)]);
    rules.takes = [&](ChainPart part, NodeId node) {
      const Candidate& candidate = candidates[static_cast<size_t>(node)];
      if (part == ChainPart::kFunction) return !candidate.is_excluded;
      // Where the runtime has no addition of its own, one behind a layer may still be taken in.
      return part != ChainPart::kAddition || candidate ||
             (candidate.kernel == nullptr && !candidate.is_excluded);
    };
    return rules;
  });
}

}  // namespace quantize
