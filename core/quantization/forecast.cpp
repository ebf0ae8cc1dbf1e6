// Reading a file as its runtime does. Read Forecaster::decide() first.
#include "core/quantization/forecast.h"

#include <algorithm>
#include <cmath>

#include "core/fusion/chain.h"
#include "core/fusion/patterns.h"
#include "core/integer/forms.h"
#include "core/integer/islands.h"
#include "core/integer/lowering.h"
#include "core/ops/op.h"
#include "core/ops/weight_layout.h"
#include "core/quantization/reasons.h"

namespace quantize {

namespace {

using Words = std::vector<std::string>;

/// A flaw and the words of its sentence.
struct Found {
  Flaw flaw;
  Words words;
};
using MaybeFound = std::optional<Found>;

/// The treatment of an operator by a runtime that computes it on codes unasked.
constexpr IntegerOperator kUnasked{.op_type = ""};

bool is_8_bit(DataType type) {
  return type == DataType::kU8 || type == DataType::kS8;
}

bool is_16_bit(DataType type) {
  return type == DataType::kU16 || type == DataType::kS16;
}

/// Codes of activations.
bool is_code(DataType type) {
  return is_8_bit(type) || is_16_bit(type);
}

bool is_power_of_two(float scale) {
  int exponent = 0;
  return std::frexp(scale, &exponent) == 0.5f;
}

std::string text_of(DataType type) {
  return std::string(name_of(type));
}

class Forecaster {
 public:
  Forecaster(const Graph& graph, const TargetProfile& target)
      : graph_(completed(graph)),
        target_(target),
        index_(graph_),
        islands_(graph_, index_, keep_),
        verdicts_(graph_.nodes.size()),
        taken_in_(graph_.nodes.size(), false) {}

  Forecast run() {
    Forecast result;
    const int64_t opset = graph_.opset();
    if (opset < target_.opsets.lowest || opset > target_.opsets.highest)
      result.refusal =
          found_at(kNoNode, {Flaw::kOpset,
                             {target_.name, std::to_string(opset), std::to_string(target_.opsets.lowest),
                              std::to_string(target_.opsets.highest)}});
    for (NodeId n = 0; n < node_count(); ++n)
      if (is_listed(n) && !verdicts_[at(n)]) decide(n);
    for (NodeId n = 0; n < node_count(); ++n)
      if (is_listed(n)) result.nodes.push_back(*verdicts_[at(n)]);
    result.conversions = conversions();
    return result;
  }

 private:
  static size_t at(int32_t id) { return static_cast<size_t>(id); }
  static Graph completed(Graph graph) {
    complete_zero_points(graph);
    return graph;
  }
  NodeId node_count() const { return static_cast<NodeId>(graph_.nodes.size()); }
  const Node& node(NodeId n) const { return graph_.nodes[at(n)]; }
  const std::string& name(ValueId id) const { return graph_.value(id).name; }
  /// True for a node that computes something: no Q, DQ or constant.
  bool is_listed(NodeId n) const {
    return !is_quantize(node(n)) && !is_dequantize(node(n)) && !node(n).inputs.empty();
  }

  NodeForecast found_at(NodeId n, const Found& found) const {
    return {n, found.flaw, with_words(rule_of(found.flaw).sentence, found.words)};
  }
  void set_integer(NodeId n, const std::string& reason) { verdicts_[at(n)] = {n, std::nullopt, reason}; }

  void decide(NodeId n);
  MaybeFound flaw_of(NodeId n);
  MaybeFound codes_flaw() const;
  MaybeFound bits_flaw(const Node& node);
  bool reads_real_constants(const Node& node) const;
  ValueId rounded_value(ValueId id) const;
  bool is_moved_over(const Node& node);
  bool hands_dequantize_on(const Node& node);
  bool compares_codes(const Node& node);
  ValueId dequantized_at(ValueId id);
  /// The codes that a value is said to hold.
  std::optional<Codes> codes_of(ValueId id) { return islands_.dequantized(dequantized_at(id)); }
  bool is_dequantized(ValueId id) {
    const NodeId producer = index_.producer(dequantized_at(id));
    return producer != kNoNode && is_dequantize(node(producer));
  }
  /// False where ONNX has the operator for reals alone, as MaxPool below opset 12.
  bool is_of_codes(const Node& node) const { return runs_on_codes(graph_, node, Runtime::kOwn); }
  MaybeFound weighted_flaw(NodeId n, const IntegerOperator& kernel, bool rounds_constants);
  MaybeFound weights_flaw(const Node& node, const IntegerOperator& kernel, bool rounds_constants);
  MaybeFound bias_flaw(const Node& node, const Codes& x, const Codes& w);
  MaybeFound operands_flaw(NodeId n, bool rounds_constants);
  MaybeFound operand_flaw(ValueId id, ValueId other);
  MaybeFound scale_flaw(const Codes& codes, ValueId id, bool symmetric) const;
  MaybeFound output_flaw(NodeId n, const IntegerOperator& kernel);
  MaybeFound rounded_flaw(NodeId n, ValueId end, const Chain& chain, const IntegerOperator& kernel);
  void take_chain(NodeId n, const Chain& chain);
  Chain chain_of(NodeId n);
  std::vector<Codes> codes_behind(ValueId id);
  bool alone_rounded(ValueId id) const;
  DataType type_of(const Codes& codes) const { return graph_.value(codes.zero_point).dtype; }
  bool is_symmetric(DataType type) const;
  size_t conversions() const;

  Graph graph_;
  const TargetProfile& target_;
  const GraphIndex index_;
  const std::vector<bool> keep_ = {};
  Islands islands_;
  std::vector<std::optional<NodeForecast>> verdicts_;  // per node
  std::vector<bool> taken_in_;                         // per node: a Q behind an integer node
};

void Forecaster::decide(NodeId n) {
  if (const MaybeFound found = flaw_of(n)) {
    verdicts_[at(n)] = found_at(n, *found);
    return;
  }
  set_integer(n, quantize::text_of(Cause::kIntegerKernel, {target_.name}));
  take_chain(n, chain_of(n));
}

/// Why the node is not computed on integers.
MaybeFound Forecaster::flaw_of(NodeId n) {
  const Node& each = node(n);
  const ValueId first = each.inputs[0];
  if (is_integer_operator(each)) return codes_flaw();
  if (first != kNoValue && is_code(graph_.value(first).dtype) && hands_codes_on(graph_, each))
    return codes_flaw();
  if (compares_codes(each)) return std::nullopt;
  for (ValueId id : each.outputs)
    if (id != kNoValue && graph_.value(id).dtype != DataType::kF32 &&
        graph_.value(id).dtype != DataType::kUndefined)
      return Found{Flaw::kNoReals, {name(id), text_of(graph_.value(id).dtype)}};
  const QuantizationRule rule = quantization_of(graph_, each);
  const IntegerOperator* kernel = target_.find(graph_, each);
  const UnaskedFusion* unasked = target_.fuses_unasked ? target_.find_unasked(each) : nullptr;
  if (rule == QuantizationRule::kActivation) return Found{Flaw::kNoAbsorber, {}};
  if (kernel == nullptr && unasked == nullptr) {
    const bool known =
        std::any_of(target_.operators.begin(), target_.operators.end(),
                    [&](const IntegerOperator& other) { return each.op_type == other.op_type; });
    return Found{known ? Flaw::kForm : Flaw::kNoKernel, {target_.name}};
  }
  if (rule == QuantizationRule::kPassThrough && hands_codes_on(graph_, each) && !is_of_codes(each))
    return Found{Flaw::kForm, {target_.name}};
  if (const MaybeFound found = bits_flaw(each)) return found;
  const bool rounds = unasked != nullptr && unasked->rounds_constants;
  // Constants of reals are rounded only where the result is.
  const IntegerOperator& used =
      kernel == nullptr || (rounds && reads_real_constants(each)) ? kUnasked : *kernel;
  if (is_moved_over(each) || hands_dequantize_on(each)) return std::nullopt;
  const MaybeFound found =
      rule == QuantizationRule::kWeighted ? weighted_flaw(n, used, rounds) : operands_flaw(n, rounds);
  return found ? found : output_flaw(n, used);
}

MaybeFound Forecaster::codes_flaw() const {
  if (target_.takes_codes) return std::nullopt;
  return Found{Flaw::kCodesOperator, {target_.name}};
}

/// Codes of 16 bits around a node that the runtime computes on those of 8 alone.
MaybeFound Forecaster::bits_flaw(const Node& each) {
  std::vector<ValueId> values;
  for (ValueId id : code_operands(graph_, each))
    if (const auto codes = codes_of(id); codes && is_16_bit(type_of(*codes))) values.push_back(id);
  for (ValueId id : each.outputs)
    for (const Codes& codes : id == kNoValue ? std::vector<Codes>{} : codes_behind(rounded_value(id)))
      if (is_16_bit(type_of(codes))) values.push_back(id);
  const SixteenBits* sixteen = target_.sixteen_bits;
  if (values.empty() || (sixteen != nullptr && sixteen->runs_on_codes(each))) return std::nullopt;
  return Found{Flaw::k16Bits, {target_.name, name(values[0])}};
}

bool Forecaster::reads_real_constants(const Node& each) const {
  return std::any_of(each.inputs.begin(), each.inputs.end(), [&](ValueId id) {
    return id != kNoValue && graph_.value(id).is_constant() && graph_.value(id).dtype == DataType::kF32;
  });
}

/// The value whose QuantizeLinear the runtime puts behind this one: that behind operators that it moves Q over.
ValueId Forecaster::rounded_value(ValueId id) const {
  while (index_.single_use(id)) {
    const NodeId reader = index_.uses(id)[0].node;
    if (index_.uses(id)[0].input != 0 || !target_.moves_over_node(node(reader)) ||
        !hands_codes_on(graph_, node(reader)))
      break;
    const ValueId next = node(reader).outputs[0];
    if (!alone_rounded(next) && !index_.single_use(next)) break;
    id = next;
  }
  return id;
}

/// True if the Q behind a node that reads reals goes in front of it.
bool Forecaster::is_moved_over(const Node& each) {
  const ValueId x = each.inputs[0];
  return target_.moves_over_node(each) && hands_codes_on(graph_, each) && index_.single_use(x) &&
         !is_dequantized(x) && alone_rounded(rounded_value(each.outputs[0]));
}

/// True if the DQ of computed codes in front of a node goes behind it: with no Q there.
bool Forecaster::hands_dequantize_on(const Node& each) {
  if (!target_.moves_over_node(each) || !hands_codes_on(graph_, each) || !is_of_codes(each) ||
      !codes_behind(each.outputs[0]).empty())
    return false;
  const auto codes = codes_of(each.inputs[0]);
  return codes && graph_.constant(codes->codes) == nullptr && codes->params.per_tensor() &&
         (!is_16_bit(type_of(*codes)) || target_.sixteen_bits->runs_on_codes(each));
}

/// True if the DQ in front of a node falls away because the node gives the same of codes.
bool Forecaster::compares_codes(const Node& each) {
  if (!target_.compares_codes_in(each)) return false;
  const auto codes = codes_of(each.inputs[0]);
  return codes && codes->params.per_tensor() && is_8_bit(type_of(*codes));
}

/// What the DQ makes that stands in front of operators which hand it on to this value; the value itself without them.
ValueId Forecaster::dequantized_at(ValueId id) {
  const NodeId producer = index_.producer(id);
  if (producer == kNoNode || is_dequantize(node(producer)) || node(producer).inputs.empty()) return id;
  return hands_dequantize_on(node(producer)) ? dequantized_at(node(producer).inputs[0]) : id;
}

bool Forecaster::is_symmetric(DataType type) const {
  if (is_16_bit(type)) return target_.sixteen_bits != nullptr && target_.sixteen_bits->symmetric;
  return std::any_of(target_.type_pairs.begin(), target_.type_pairs.end(),
                     [&](const TypePair& pair) { return pair.activation == type && pair.symmetric; });
}

/// Scales and zero points of computed codes.
MaybeFound Forecaster::scale_flaw(const Codes& codes, ValueId id, bool symmetric) const {
  const DataType type = type_of(codes);
  const int32_t middle = type == DataType::kU8 ? 128 : type == DataType::kU16 ? 32768 : 0;
  const auto& [scale, zero_point] = codes.params;
  if (symmetric && std::any_of(zero_point.begin(), zero_point.end(), [&](int32_t z) { return z != middle; }))
    return Found{Flaw::kZeroPoint, {name(id), target_.name}};
  if (target_.grid == ScaleGrid::kPowersOfTwo && !std::all_of(scale.begin(), scale.end(), is_power_of_two))
    return Found{Flaw::kScaleGrid, {name(id), target_.name}};
  return std::nullopt;
}

/// An operand that is to be codes; `other` is one that is, or kNoValue.
MaybeFound Forecaster::operand_flaw(ValueId id, ValueId other) {
  if (!is_dequantized(id))
    return Found{other == kNoValue ? Flaw::kReadsReals : Flaw::kIncomplete, {name(id)}};
  const auto codes = codes_of(id);
  if (!codes || !is_code(type_of(*codes))) return Found{Flaw::kUnknownScale, {name(id)}};
  if (!codes->params.per_tensor() && target_.channel_scales == nullptr)
    return Found{Flaw::kScaleByChannel, {name(id)}};
  return scale_flaw(*codes, id, is_symmetric(type_of(*codes)));
}

/// The operands of an operator without weights.
MaybeFound Forecaster::operands_flaw(NodeId n, bool rounds_constants) {
  std::vector<ValueId> reals, dequantized;
  for (ValueId id : code_operands(graph_, node(n))) {
    if (id == kNoValue || (rounds_constants && graph_.value(id).is_constant())) continue;
    (is_dequantized(id) ? dequantized : reals).push_back(id);
  }
  if (reals.empty() && dequantized.empty()) return Found{Flaw::kReadsReals, {name(node(n).inputs[0])}};
  if (!reals.empty()) return operand_flaw(reals[0], dequantized.empty() ? kNoValue : dequantized[0]);
  std::optional<Codes> first;
  for (ValueId id : dequantized) {
    if (const MaybeFound found = operand_flaw(id, kNoValue)) return found;
    const auto codes = codes_of(id);
    if (first && type_of(*first) != type_of(*codes))
      return Found{Flaw::kOtherCodes, {name(dequantized[0]), name(id)}};
    if (!first) first = codes;
  }
  return std::nullopt;
}

MaybeFound Forecaster::weighted_flaw(NodeId n, const IntegerOperator& kernel, bool rounds_constants) {
  const Node& each = node(n);
  const ValueId x = each.inputs[0], w = each.inputs[1];
  const bool has_codes = is_dequantized(w);
  if (const MaybeFound found = operand_flaw(x, has_codes ? w : kNoValue)) return found;
  if (!has_codes && graph_.constant(w) != nullptr)
    return rounds_constants ? std::nullopt : MaybeFound(Found{Flaw::kWeightsReal, {name(w)}});
  const auto codes = codes_of(w);
  if (has_codes && codes && graph_.constant(codes->codes) == nullptr) return operand_flaw(w, x);
  return has_codes ? weights_flaw(each, kernel, rounds_constants) : operand_flaw(w, x);
}

/// Constant weights and the bias.
MaybeFound Forecaster::weights_flaw(const Node& each, const IntegerOperator& kernel, bool rounds_constants) {
  const ValueId id = each.inputs[1];
  const auto x = codes_of(each.inputs[0]), w = codes_of(id);
  if (!w || !is_8_bit(type_of(*w))) return Found{Flaw::kUnknownScale, {name(id)}};
  const TypePair* pair = target_.find_types(type_of(*x), type_of(*w), &kernel);
  if (pair == nullptr) return Found{Flaw::kTypes, {target_.name, text_of(type_of(*x)), text_of(type_of(*w))}};
  if (const MaybeFound found = scale_flaw(*w, id, pair->symmetric)) return found;
  const Shape& shape = graph_.constant(w->codes)->shape();
  const auto layout = find_op(graph_, each).weight_layout(each, shape);
  const int64_t axis = w->axis < 0 ? w->axis + static_cast<int64_t>(shape.size()) : w->axis;
  if (!w->params.per_tensor() && !(kernel.channel_weights && layout && axis == layout->channel_axis))
    return Found{Flaw::kWeightAxis, {name(id)}};
  return rounds_constants && graph_.constant(each.input(2)) != nullptr ? std::nullopt
                                                                       : bias_flaw(each, *x, *w);
}

MaybeFound Forecaster::bias_flaw(const Node& each, const Codes& x, const Codes& w) {
  const ValueId id = each.input(2);
  if (id == kNoValue || target_.bias == BiasForm::kRealsOrCodes) return std::nullopt;
  const auto codes = codes_of(id);
  const bool in_codes = codes && type_of(*codes) == DataType::kS32;
  if (in_codes != (target_.bias == BiasForm::kCodes))
    return Found{Flaw::kBiasForm,
                 {name(id), target_.name, target_.bias == BiasForm::kCodes ? "s32 codes" : "f32"}};
  if (!in_codes) return std::nullopt;
  constexpr double kApart = 0.01;  // ONNX Runtime leaves a Conv in float at 2 %
  for (size_t c = 0; c < codes->params.scale.size(); ++c) {
    const double wanted = double{x.params.scale_of(0)} * double{w.params.scale_of(c)};
    if (!(std::abs(double{codes->params.scale[c]} / wanted - 1) <= kApart))
      return Found{Flaw::kBiasScale, {name(id)}};
  }
  return std::nullopt;
}

/// The nodes behind another that the target applies before it rounds.
Chain Forecaster::chain_of(NodeId n) {
  const ValueId output = node(n).output(0);
  if (output == kNoValue) return {};
  ChainRules rules = target_.chain_rules(graph_, node(n));
  rules.shield = false;
  Chain chain = chain_behind(graph_, index_, output, rules);
  if (chain.addition && operand_flaw(chain.addition->other, kNoValue)) {
    chain.addition.reset();
    chain.clamp = chain.own_clamp();
  }
  return chain;
}

/// The nodes of a chain are computed with their integer node.
void Forecaster::take_chain(NodeId n, const Chain& chain) {
  const std::string anchor = name_of_node(graph_, node(n));
  for (NodeId part : chain.nodes())
    if (!verdicts_[at(part)]) set_integer(part, quantize::text_of(Cause::kApplied, {anchor}));
  if (is_moved_over(node(n))) return;  // the node in front takes in the Q, if it can
  const auto links = chain.links();
  for (ValueId id : node(links.empty() ? n : links.back()).outputs)
    if (id != kNoValue)
      for (const GraphIndex::Use& use : index_.uses(rounded_value(id)))
        if (is_quantize(node(use.node))) taken_in_[at(use.node)] = true;
}

/// The params of every Q that reads a value.
std::vector<Codes> Forecaster::codes_behind(ValueId id) {
  std::vector<Codes> found;
  for (const GraphIndex::Use& use : index_.uses(id)) {
    const Node& reader = node(use.node);
    const auto params = is_quantize(reader) ? constant_params(graph_, reader, 1) : std::nullopt;
    if (params) found.push_back({reader.outputs[0], reader.inputs[1], reader.inputs[2], *params});
  }
  return found;
}

/// True if nothing but Q reads the value.
bool Forecaster::alone_rounded(ValueId id) const {
  const auto& uses = index_.uses(id);
  return !index_.is_output(id) && !uses.empty() &&
         std::all_of(uses.begin(), uses.end(),
                     [&](const GraphIndex::Use& use) { return is_quantize(node(use.node)); });
}

MaybeFound Forecaster::output_flaw(NodeId n, const IntegerOperator& kernel) {
  if (kernel.output == OutputForm::kReals) return std::nullopt;
  const Chain chain = chain_of(n);
  const auto links = chain.links();
  MaybeFound found;
  for (size_t i = 0; i < node(n).outputs.size() && !found; ++i) {
    const ValueId own = node(n).outputs[i];
    if (own == kNoValue || (index_.uses(own).empty() && !index_.is_output(own))) continue;
    found =
        rounded_flaw(n, rounded_value(links.empty() ? own : node(links.back()).outputs[0]), chain, kernel);
  }
  return kernel.output == OutputForm::kCodesOrReals ? std::nullopt : found;
}

/// The end of what a node computes: codes, as the target wants them.
MaybeFound Forecaster::rounded_flaw(NodeId n, ValueId end, const Chain& chain,
                                    const IntegerOperator& kernel) {
  const std::vector<Codes> results = codes_behind(end);
  if (results.empty()) return Found{Flaw::kNoQuantize, {name(end)}};
  if (!alone_rounded(end)) return Found{Flaw::kReadAsReals, {name(end)}};
  for (const Codes& y : results) {
    if (!is_code(type_of(y))) return Found{Flaw::kUnknownScale, {name(end)}};
    if (!y.params.per_tensor() && target_.channel_scales == nullptr)
      return Found{Flaw::kScaleByChannel, {name(end)}};
    if (const MaybeFound found = scale_flaw(y, end, is_symmetric(type_of(y)))) return found;
    const Range codes = code_range({.dtype = type_of(y), .num_bits = bits_of(type_of(y))});
    const CodeRange all{static_cast<int32_t>(codes.min), static_cast<int32_t>(codes.max)};
    if (chain.clamp != kNoNode && !target_.fuses(ChainPart::kClamp) &&
        cuts_codes(*constant_clamp(graph_, node(chain.clamp)), y.params.scale, y.params.zero_point, all))
      return Found{Flaw::kClampStays, {target_.name, name_of_node(graph_, node(chain.clamp))}};
    const FixedOutput* fixed = target_.find_fixed(node(n), type_of(y));
    if (fixed != nullptr &&
        !(y.params.scale[0] == fixed->scale && y.params.zero_point[0] == fixed->zero_point))
      return Found{Flaw::kFixedScale,
                   {name(end), std::to_string(fixed->scale), std::to_string(fixed->zero_point)}};
    const bool shares = kernel.scales == ScaleSharing::kAlways ||
                        quantization_of(graph_, node(n)) == QuantizationRule::kPassThrough;
    for (ValueId id : code_operands(graph_, node(n))) {
      const auto x = codes_of(id);
      if (!x || graph_.constant(x->codes) != nullptr) continue;
      if (type_of(*x) != type_of(y)) return Found{Flaw::kOtherCodes, {name(id), name(end)}};
      if (shares && (x->params.scale != y.params.scale || x->params.zero_point != y.params.zero_point))
        return Found{Flaw::kScalesDiffer, {name(id), name(end)}};
    }
  }
  return std::nullopt;
}

/// A Q stays if no integer node takes it in, a DQ of computed codes if something else reads it.
size_t Forecaster::conversions() const {
  size_t count = 0;
  for (NodeId n = 0; n < node_count(); ++n) {
    const Node& each = node(n);
    if (is_quantize(each)) count += !taken_in_[at(n)];
    if (!is_dequantize(each) || graph_.constant(each.inputs[0]) != nullptr) continue;
    const auto& uses = index_.uses(each.outputs[0]);
    count += index_.is_output(each.outputs[0]) ||
             std::any_of(uses.begin(), uses.end(), [&](const GraphIndex::Use& use) {
               return !verdicts_[at(use.node)] || verdicts_[at(use.node)]->flaw.has_value();
             });
  }
  return count;
}

}  // namespace

Forecast forecast(const Graph& graph, const TargetProfile& target) {
  return Forecaster(graph, target).run();
}

std::string name_of_node(const Graph& graph, const Node& node) {
  if (!node.name.empty()) return node.name;
  for (ValueId id : node.outputs)
    if (id != kNoValue) return graph.value(id).name;
  return node.op_type;
}

}  // namespace quantize
