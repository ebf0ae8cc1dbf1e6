// One walk forward decides node by node, one backward takes back what nothing profits from. Read
// plan_quantization(), at the end, first.
#include "core/quantization/plan_quantization.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/fusion/patterns.h"
#include "core/ops/macs.h"
#include "core/quantization/candidates.h"
#include "core/quantization/channel_scales.h"
#include "core/quantization/check_scheme.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/own_values.h"
#include "core/quantization/plan_layer.h"
#include "core/quantization/plan_shields.h"
#include "core/quantization/reasons.h"
#include "core/quantization/rest/plan_rest.h"
#include "core/quantization/shared_scales.h"

namespace quantize {

namespace {

using Reasons = std::map<NodeId, std::string>;  // why nodes must stay float, known beforehand

std::vector<Candidate> candidates_but(const Reasons& reasons, std::vector<Candidate> candidates) {
  for (const auto& [n, reason] : reasons) candidates[static_cast<size_t>(n)].float_reason = reason;
  return candidates;
}

class Planner {
 public:
  Planner(const Graph& graph, const RangeTable& ranges, const QuantizationScheme& scheme,
          const TargetProfile& target, const Reasons& reasons)
      : graph_(graph),
        ranges_(ranges),
        scheme_(scheme),
        target_(target),
        index_(graph),
        candidates_(candidates_but(reasons, find_candidates(graph, index_, scheme, target))),
        chains_(find_chains(graph, index_, candidates_, target)),
        bits_(graph, index_, scheme, candidates_, chains_),
        inputs_{graph, index_, ranges, scheme, target, candidates_, chains_, bits_},
        own_(inputs_),
        integer_(graph.values.size(), false),
        decided_(graph.nodes.size(), false),
        before_(graph.nodes.size(), kNoNode) {
    plan_.target = target.name;
    plan_.floats_kept_clamps = !target.fuses(ChainPart::kClamp);
    plan_.values.resize(graph.values.size());
    plan_.nodes.resize(graph.nodes.size());
  }

  QuantizationPlan run() {
    check_scheme(graph_, scheme_, target_);
    for (ValueId id : graph_.inputs)
      integer_[at(id)] = graph_.value(id).dtype == DataType::kF32 && own(id).params;
    for (NodeId n = 0; n < node_count(); ++n) decide_in_order(n);
    for (NodeId n = node_count() - 1; n >= 0 && !target_.rounds_results; --n) take_back(n);
    refuse(share_scales(graph_, index_, scheme_, candidates_, plan_));
    for (NodeId n = 0; n < node_count(); ++n) finish_node(n);
    for (size_t v = 0; v < plan_.values.size(); ++v) finish_value(static_cast<ValueId>(v));
    plan_modes({graph_, scheme_, target_, &ranges_}, plan_);
    plan_rest(graph_, ranges_, scheme_, plan_);
    plan_shields(graph_, index_, target_, plan_);
    return std::move(plan_);
  }

  /// Nodes that are planned as integer and must not be, and why: sums beyond s32, scales that are not shared.
  const Reasons& refused() const { return refused_; }

 private:
  static size_t at(int32_t id) { return static_cast<size_t>(id); }
  NodeId node_count() const { return static_cast<NodeId>(graph_.nodes.size()); }
  const std::string& name(ValueId id) const { return graph_.value(id).name; }
  bool is_integer(NodeId n) const { return plan_.nodes[at(n)].placement == Placement::kInteger; }

  const PlannedValue& own(ValueId id) { return own_.of(id); }
  /// The parameters of the value: as planned, else those that it would have by itself. Requires: it has one of
  /// the two.
  const QuantParams& params_of(ValueId id) {
    return plan_.values[at(id)].params ? *plan_.values[at(id)].params : *own(id).params;
  }
  /// The parameters by which the node is to read the value.
  const QuantParams& read_params(NodeId n, ValueId id) {
    const auto& converted = plan_.nodes[at(n)].converted;
    const auto found = converted.find(id);
    return found == converted.end() ? params_of(id) : found->second;
  }
  /// The description of the image's bytes that the value holds; nullptr if it holds none.
  const ImageBytes* bytes_of(ValueId id) const {
    const ValueRange* range = ranges_.find(name(id));
    return range != nullptr && range->bytes ? &*range->bytes : nullptr;
  }
  PlannedValue shared(ValueId id, ValueId source, NodeId through);
  void decide_in_order(NodeId n);
  void decide(NodeId n);
  FloatReason inputs_reason(const Candidate& candidate);
  void set_bits(NodeId n, NodeId anchor);
  FloatReason convert_inputs(NodeId n);
  FloatReason pass_through(NodeId n), compute(NodeId n);
  bool takes_part(ChainPart part, NodeId n, DataType codes) const;
  bool fuses_function(NodeId n);
  bool joins_residual(NodeId n);
  Chain taken_chain(NodeId n);
  void fuse(NodeId n, NodeId part, Cause cause);
  void fuse_inner_parts(NodeId n, const Chain& chain);
  void plan_chain(NodeId n, const Chain& chain, const QuantParams& params);
  void plan_real_chain(NodeId n, const Chain& chain);
  void plan_clamp(NodeId clamp, const QuantParams& params);
  bool some_candidate_reads(ValueId id) const;
  bool some_integer_reads(ValueId id) const;

  void refuse(const Reasons& reasons) { refused_.insert(reasons.begin(), reasons.end()); }
  void take_back(NodeId n);
  /// The node that computes the value, its chain left out.
  NodeId maker(ValueId id) const {
    NodeId node = index_.producer(id);
    for (NodeId before;
         node != kNoNode && (before = before_[at(node)]) != kNoNode && plan_.nodes[at(before)].tail == node;)
      node = before;
    return node;
  }
  bool could_be_real(ValueId id) const;
  void finish_node(NodeId n);
  void make_of_image(ValueId id, const ImageBytes& bytes);
  void finish_value(ValueId id);

  const Graph& graph_;
  const RangeTable& ranges_;
  const QuantizationScheme& scheme_;
  const TargetProfile& target_;
  const GraphIndex index_;
  const std::vector<Candidate> candidates_;
  const Chains chains_;
  const ActivationBits bits_;
  const PlanInputs inputs_;
  OwnValues own_;
  std::vector<bool> integer_;  // per value: computed in integers, or an input that can be
  std::vector<bool> decided_;  // per node
  std::vector<NodeId>
      before_;  // per node: the node whose tail it became. Chains may overlap, so they do not tell.
  Reasons refused_;
  QuantizationPlan plan_;
};

/// The value with the scale of `source`, which an operator that moves elements hands on.
PlannedValue Planner::shared(ValueId id, ValueId source, NodeId through) {
  PlannedValue value = plan_.values[at(source)].params ? plan_.values[at(source)] : own(source);
  if (has_own_wish(scheme_, name(id), name(source))) {
    value.reason = text_of(Cause::kOwnOverride, {name(source)});
    value.params.reset();
    return value;
  }
  const FloatReason noise = own_.noise_reason(id, *value.params);
  value.reason =
      noise.value_or(text_of(Cause::kHandedOn, {name(value.source), graph_.nodes[at(through)].name}));
  if (noise) value.params.reset();
  return value;
}

/// Why an input keeps the node in float.
FloatReason Planner::inputs_reason(const Candidate& candidate) {
  for (ValueId id : candidate.activations) {
    const bool multiplies = candidate.rule == QuantizationRule::kWeighted;
    if (plan_.values[at(id)].params) continue;
    const PlannedValue& value = own(id);
    if (!value.params) return text_of(Cause::kInputFloat, {name(id), value.reason});
    if (!multiplies && !integer_[at(id)]) return text_of(Cause::kInputComputed, {name(id)});
  }
  return std::nullopt;
}

/// The node, or a link of the chain behind, has the bits of `anchor`.
void Planner::set_bits(NodeId n, NodeId anchor) {
  PlannedNode& planned = plan_.nodes[at(n)];
  planned.activation_bits = bits_.of_node(anchor);
  planned.in_float =
      planned.activation_bits == 16 && !target_.sixteen_bits->runs_on_codes(graph_.nodes[at(anchor)]);
}

/// Codes of the bits of the node for the activations that are held in others. Returns why it stays float, or nothing.
FloatReason Planner::convert_inputs(NodeId n) {
  const int bits = bits_.of_node(n);
  if (bits == 16 && !target_.sixteen_bits->takes(graph_.nodes[at(n)]))
    return text_of(Cause::kNo16BitKernel, {target_.name});
  for (ValueId id : candidates_[at(n)].activations) {
    const PlannedValue& value = plan_.values[at(id)].params ? plan_.values[at(id)] : own(id);
    if (bits_of(value.params->dtype) == bits) continue;
    const QuantParams params = own_.in_bits(value, id, bits);
    if (const FloatReason noise = own_.noise_reason(id, params))
      return text_of(Cause::kInputFloat, {name(id), *noise});
    plan_.nodes[at(n)].converted[id] = params;
  }
  return std::nullopt;
}

/// True if codes of this type may take part where the target applies this behind the node.
bool Planner::takes_part(ChainPart part, NodeId n, DataType codes) const {
  const Fusion* fusion = target_.find_fusion(part, graph_, graph_.nodes[at(n)]);
  return fusion != nullptr && fusion->codes.value_or(codes) == codes;
}

/// True if the function behind a convolution is to stand before its rounding: not where its result is one of
/// the network's, since of those small differences count that a rounding behind a Sigmoid would take. A table
/// of codes is faster, so it stays that where rounding twice does little: the first rounding adds (first step
/// / second step)^2 times the noise of the second where the function is steep.
bool Planner::fuses_function(NodeId n) {
  const auto& function = chains_.of(n).function;
  constexpr double kLittleNoise = 0.002;  // see README.md
  if (!function) return false;
  const ValueId pre = graph_.nodes[at(n)].outputs[0],
                output = graph_.nodes[at(function->nodes.back())].outputs[0];
  if (!takes_part(ChainPart::kFunction, n, own_.type_of(output).dtype) || own_.is_result(output) ||
      !some_candidate_reads(output) || !own(output).params)
    return false;
  if (!own(pre).params || !own(output).params->per_tensor()) return true;
  const float step = own(output).params->scale[0];
  const double ratio = double{own(pre).params->scale[0]} / double{step};
  return own_.noise_share(output, step) * (1 + ratio * ratio) > kLittleNoise;
}

/// True if a residual is to be added before the convolution rounds: both are codes, and so is the sum.
bool Planner::joins_residual(NodeId n) {
  const auto& [function, addition, clamp, table] = chains_.of(n);
  if (!addition || !integer_[at(addition->other)]) return false;
  const auto fits = [&](ValueId id) {
    const PlannedValue& value = plan_.values[at(id)].params ? plan_.values[at(id)] : own(id);
    return value.params && takes_part(ChainPart::kAddition, n, value.params->dtype) &&
           value.params->per_tensor();
  };
  const ValueId sum = graph_.nodes[at(clamp == kNoNode ? addition->add : clamp)].outputs[0];
  if (!fits(addition->other) || !fits(sum) || !some_candidate_reads(sum)) return false;
  return clamp == kNoNode || !cuts_codes(*constant_clamp(graph_, graph_.nodes[at(clamp)]), *own(sum).params);
}

bool Planner::some_candidate_reads(ValueId id) const {
  return std::any_of(index_.uses(id).begin(), index_.uses(id).end(), [&](const GraphIndex::Use& use) {
    const auto& inputs = candidates_[at(use.node)].activations;
    return candidates_[at(use.node)] && std::find(inputs.begin(), inputs.end(), id) != inputs.end();
  });
}

bool Planner::some_integer_reads(ValueId id) const {
  return std::any_of(index_.uses(id).begin(), index_.uses(id).end(), [&](const GraphIndex::Use& use) {
    return is_integer(use.node) || plan_.nodes[at(use.node)].placement == Placement::kFused;
  });
}

/// Plans the outputs of a node that moves elements. Returns why it stays float, or nothing.
FloatReason Planner::pass_through(NodeId n) {
  const Node& node = graph_.nodes[at(n)];
  const ValueId source = candidates_[at(n)].activations[0];
  std::vector<std::pair<ValueId, PlannedValue>> outputs;
  for (ValueId output : node.outputs) {
    if (output == kNoValue || graph_.value(output).dtype != DataType::kF32) continue;
    outputs.emplace_back(output, shared(output, source, n));
    if (!outputs.back().second.params)
      return text_of(Cause::kOutputFloat, {name(output), outputs.back().second.reason});
  }
  for (auto& [output, value] : outputs) {
    plan_.values[at(output)] = std::move(value);
    integer_[at(output)] = true;
  }
  return std::nullopt;
}

/// Plans the output of a node that computes. Returns why it stays float, or nothing.
FloatReason Planner::compute(NodeId n) {
  const Candidate& candidate = candidates_[at(n)];
  const Chain chain = taken_chain(n);
  const auto links = chain.links();
  const ValueId output = graph_.nodes[at(links.empty() ? n : links.back())].outputs[0];
  if (candidate.layout)
    for (ValueId input : candidate.activations)
      if (target_.find_types(read_params(n, input).dtype, scheme_.weights.dtype, candidate.kernel) == nullptr)
        return text_of(Cause::kNoTypes, {target_.name});
  if (candidate.kernel->output == OutputForm::kReals) {
    plan_real_chain(n, chain);
    return std::nullopt;
  }
  if (candidate.kernel->output == OutputForm::kCodesOrReals &&
      (!own(output).params || !some_candidate_reads(output)))
    return std::nullopt;
  if (candidate.rule != QuantizationRule::kWeighted && own_.is_result(output) && !target_.rounds_results)
    return text_of(Cause::kMakesResults);
  const PlannedValue& value = own(output);
  if (!value.params) return text_of(Cause::kOutputFloat, {name(output), value.reason});
  for (ValueId input : candidate.activations)
    if (read_params(n, input).dtype != value.params->dtype) return text_of(Cause::kOtherType, {name(input)});
  plan_.values[at(output)] = value;
  integer_[at(output)] = true;
  plan_chain(n, chain, *value.params);
  return std::nullopt;
}

/// The part of the chain behind a node that it computes. One that returns reals takes all of it, if there are codes of
/// the residual.
Chain Planner::taken_chain(NodeId n) {
  Chain chain = chains_.of(n);
  const bool in_reals = candidates_[at(n)].kernel->output == OutputForm::kReals;
  if (in_reals ? !chain.addition || own(chain.addition->other).params : joins_residual(n)) return chain;
  chain.clamp = chain.own_clamp();
  chain.addition.reset();
  if (!in_reals && !fuses_function(n)) chain.function.reset();
  return chain;
}

/// `part` is computed by the integer node n before it rounds.
void Planner::fuse(NodeId n, NodeId part, Cause cause) {
  decided_[at(part)] = true;
  plan_.nodes[at(part)].placement = Placement::kFused;
  plan_.nodes[at(part)].reason = text_of(cause, {graph_.nodes[at(n)].name});
}

void Planner::fuse_inner_parts(NodeId n, const Chain& chain) {
  if (chain.function)
    for (NodeId part : chain.function->nodes) fuse(n, part, Cause::kApplied);
  if (!chain.addition) return;
  fuse(n, chain.addition->add, Cause::kAdded);
  const ValueId residual = chain.addition->other;
  if (!plan_.values[at(residual)].params) plan_.values[at(residual)] = own(residual);
}

void Planner::plan_chain(NodeId n, const Chain& chain, const QuantParams& params) {
  NodeId last = n;
  for (NodeId link : chain.links()) {
    before_[at(link)] = last;
    last = plan_.nodes[at(last)].tail = link;
  }
  for (NodeId part : chain.nodes()) set_bits(part, n);
  fuse_inner_parts(n, chain);
  if (chain.clamp != kNoNode) plan_clamp(chain.clamp, params);
}

/// The chain of a node that returns reals: what reads its end rounds that.
void Planner::plan_real_chain(NodeId n, const Chain& chain) {
  plan_.nodes[at(n)].returns_reals = true;
  fuse_inner_parts(n, chain);
  if (chain.clamp != kNoNode) fuse(n, chain.clamp, Cause::kApplied);
  for (NodeId part : chain.nodes()) plan_.nodes[at(part)].returns_reals = true;
}

void Planner::plan_clamp(NodeId id, const QuantParams& params) {
  PlannedNode& clamp = plan_.nodes[at(id)];
  decided_[at(id)] = true;
  const std::string& output = name(graph_.nodes[at(id)].outputs[0]);
  if (!cuts_codes(*constant_clamp(graph_, graph_.nodes[at(id)]), params)) {
    clamp.placement = Placement::kAbsorbed;
    clamp.reason = text_of(Cause::kImplied, {output});
  } else {
    clamp.reason = text_of(Cause::kNotImplied, {output});
  }
}

/// A convolution whose residual comes later is decided when the residual has been, just before the addition.
void Planner::decide_in_order(NodeId n) {
  const auto waits = [&](NodeId node) {
    const auto& add = chains_.of(node).addition;
    return add && index_.producer(add->other) > node;
  };
  if (waits(n)) return;
  const NodeId before = chains_.before(n);
  if (before != kNoNode && waits(before)) decide(before);
  decide(n);
}

void Planner::decide(NodeId n) {
  PlannedNode& planned = plan_.nodes[at(n)];
  const Candidate& candidate = candidates_[at(n)];
  planned.macs = macs_of(graph_, graph_.nodes[at(n)]);
  if (decided_[at(n)]) return;  // a clamp or function that the node before has dealt with
  FloatReason reason = candidate.float_reason;
  if (!reason) reason = inputs_reason(candidate);
  if (!reason) reason = convert_inputs(n);
  if (!reason) reason = candidate.rule == QuantizationRule::kPassThrough ? pass_through(n) : compute(n);
  decided_[at(n)] = true;
  if (reason) {
    planned.reason = *reason;
    planned.converted.clear();
    return;
  }
  set_bits(n, n);
  planned.placement = Placement::kInteger;
  planned.reason = text_of(planned.in_float ? Cause::k16BitsInFloat : Cause::kIntegerKernel, {target_.name});
  for (ValueId id : candidate.activations)
    if (!plan_.values[at(id)].params) plan_.values[at(id)] = own(id);
}

/// True if the value would come in reals without loss: a graph input, the output of an operator that may
/// return reals, or what moves or combines nothing else.
bool Planner::could_be_real(ValueId id) const {
  const NodeId last = index_.producer(id), producer = maker(id);
  if (producer == kNoNode || plan_.nodes[at(last)].placement == Placement::kFloat || !is_integer(producer))
    return true;
  const Candidate& candidate = candidates_[at(producer)];
  if (candidate.rule == QuantizationRule::kWeighted) return candidate.kernel->output != OutputForm::kCodes;
  return std::all_of(candidate.activations.begin(), candidate.activations.end(),
                     [&](ValueId input) { return could_be_real(input); });
}

/// Puts back into float what no integer operator reads, where reals are to be had.
void Planner::take_back(NodeId n) {
  if (!is_integer(n)) return;
  const Candidate& candidate = candidates_[at(n)];
  PlannedNode& planned = plan_.nodes[at(n)];
  std::vector<ValueId> outputs = graph_.nodes[at(n)].outputs;
  if (planned.tail != kNoNode) outputs = {planned_output(graph_, plan_, n)};
  for (ValueId output : outputs)
    if (output != kNoValue && some_integer_reads(output)) return;
  const bool weighted = candidate.rule == QuantizationRule::kWeighted;
  if (weighted && candidate.kernel->output == OutputForm::kCodes) return;
  if (!weighted && !std::all_of(candidate.activations.begin(), candidate.activations.end(),
                                [&](ValueId input) { return could_be_real(input); }))
    return;
  for (ValueId output : outputs)
    if (output != kNoValue) plan_.values[at(output)] = {};
  if (planned.tail != kNoNode) {
    plan_.nodes[at(planned.tail)].placement = Placement::kFloat;
    plan_.nodes[at(planned.tail)].reason = text_of(Cause::kNoReader);
    planned.tail = kNoNode;
  }
  if (weighted) return;
  planned.placement = Placement::kFloat;
  planned.converted.clear();
  planned.reason = text_of(Cause::kNoReader);
}

void Planner::finish_node(NodeId n) {
  if (is_integer(n) && candidates_[at(n)].rule == QuantizationRule::kWeighted)
    with_context([&] { return describe(graph_, graph_.nodes[at(n)]); },
                 [&] {
                   if (const FloatReason reason = plan_layer(inputs_, n, plan_)) refused_[n] = *reason;
                 });
}

/// The codes of image / scale + zero are had of the image itself, with a scale and zero point per channel.
void Planner::make_of_image(ValueId id, const ImageBytes& bytes) {
  std::optional<QuantParams>& params = plan_.values[at(id)].params;
  plan_.values[at(id)].made_of = MadeOf{graph_.find_value(bytes.image), choose_byte_params(bytes, *params)};
  PlannedNode& affine = plan_.nodes[at(index_.producer(id))];
  affine.placement = Placement::kAbsorbed;
  affine.reason = text_of(Cause::kDoneByScales, {name(id)});
}

/// A value keeps its scale only if an integer operator reads it or makes it.
void Planner::finish_value(ValueId id) {
  PlannedValue& value = plan_.values[at(id)];
  if (graph_.value(id).is_constant() || graph_.value(id).dtype != DataType::kF32) {
    value = {};
    return;
  }
  NodeId producer = maker(id);
  if (producer != kNoNode && !is_integer(producer)) producer = kNoNode;
  const bool used = some_integer_reads(id) ||
                    (producer != kNoNode && planned_output(graph_, plan_, producer) == id) ||
                    (producer != kNoNode && candidates_[at(producer)].rule == QuantizationRule::kPassThrough);
  if (used && value.params) {
    if (const ImageBytes* bytes = bytes_of(id)) make_of_image(id, *bytes);
    return;
  }
  value = {};
  const std::optional<PlannedValue>& own = own_.decided(id);
  value.reason = own && !own->params ? own->reason : text_of(Cause::kNotNeeded);
}

}  // namespace

PlannedModel plan_quantization(const Graph& graph, const RangeTable& ranges, const QuantizationScheme& scheme,
                               const TargetProfile& target) {
  for (Reasons reasons;;) {
    Planner planner(graph, ranges, scheme, target, reasons);
    QuantizationPlan plan = planner.run();
    if (planner.refused().empty()) return {graph, std::move(plan)};
    reasons.insert(planner.refused().begin(), planner.refused().end());
  }
}

}  // namespace quantize
