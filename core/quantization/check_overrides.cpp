// Value by value. Read check_overrides(), at the end, first.
#include "core/quantization/check_overrides.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "core/integer/forms.h"
#include "core/quantization/modes/store_weights.h"
#include "core/quantization/quantize_weights.h"

namespace quantize {

namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, message);
}

bool reads_as_weights(const Graph& graph, const GraphIndex::Use& use) {
  return use.input == 1 &&
         quantization_of(graph, graph.nodes[static_cast<size_t>(use.node)]) == QuantizationRule::kWeighted;
}

}  // namespace

OverrideChecker::OverrideChecker(const Graph& graph, const QuantizationScheme& scheme,
                                 const TargetProfile& target)
    : graph_(graph), index_(graph), scheme_(scheme), target_(target), modes_(scheme) {}

void OverrideChecker::check(const std::string& name, const ValueOverride& specific) const {
  const ValueId id = graph_.find_value(name);
  if (id == kNoValue) refuse("no value is called so");
  if (graph_.value(id).is_constant())
    check_weights(id, specific);
  else
    check_activation(id, specific);
}

/// True for a constant that the mode of its reader may store: the table of a Gather, the weights of an LSTM.
bool OverrideChecker::is_stored(const GraphIndex::Use& use) const {
  const Node& node = graph_.nodes[static_cast<size_t>(use.node)];
  const Mode& mode = modes_.of(node);
  if (mode.takes == nullptr || !mode.takes({graph_, scheme_, target_}, node)) return false;
  const auto operands = weight_operands(graph_, node);
  return std::any_of(operands.begin(), operands.end(), [&](const WeightOperand& operand) {
    return static_cast<int64_t>(operand.input) == static_cast<int64_t>(use.input);
  });
}

/// Weights that no integer operator could take stay float whatever they are told.
void OverrideChecker::check_weights(ValueId id, const ValueOverride& specific) const {
  const Tensor& weights = graph_.value(id).initializer;
  bool are_weights = false;
  for (const GraphIndex::Use& use : index_.uses(id)) {
    if (is_stored(use)) {  // the mode checks what it is told when it plans
      are_weights = true;
      continue;
    }
    if (!reads_as_weights(graph_, use)) continue;
    are_weights = true;
    const Node& node = graph_.nodes[static_cast<size_t>(use.node)];
    const auto layout = find_op(graph_, node).weight_layout(node, weights.shape());
    if (weights.dtype() == DataType::kF32 && layout && layout->size() == weights.size())
      check_weight_override(weights, *layout, weight_form(scheme_, target_.find(graph_, node)), specific);
  }
  if (!are_weights)
    refuse("it is a constant and no layer's weights, so that nothing of it can be set; leave it out");
}

void OverrideChecker::check_activation(ValueId id, const ValueOverride& specific) const {
  const Value& value = graph_.value(id);
  const std::string target = std::string("target ") + target_.name;
  if (value.dtype != DataType::kF32)
    refuse("it holds " + std::string(name_of(value.dtype)) + ", and only f32 is quantized; leave it out");
  if (specific.axis || specific.per_channel)
    refuse(target + " takes one scale per activation; leave out '" +
           (specific.axis ? "axis" : "per_channel") + "'");
  const bool has_16 = specific.num_bits ? *specific.num_bits > 8 : overridden_bits(scheme_, value.name) == 16;
  if (has_16 && !scheme_.activations16)
    refuse(target + " has no activations of 16 bits; leave out 'num_bits'");
  const bool is_signed = specific.is_unsigned
                             ? !*specific.is_unsigned
                             : activation_type(scheme_, value.name, 8).dtype == DataType::kS8;
  const DataType type = is_signed ? DataType::kS8 : DataType::kU8;
  const TypePair* types = target_.find_types(type, scheme_.weights.dtype);
  if (types == nullptr)
    refuse(target + " does not multiply " + std::string(name_of(type)) + " by " +
           std::string(name_of(scheme_.weights.dtype)) + "; leave out 'unsigned'");
  const bool is_symmetric = types->symmetric || (has_16 && scheme_.activations16->symmetric);
  if (is_symmetric && !specific.symmetric.value_or(true))
    refuse(target + " wants zero points in the middle of the codes; leave out 'symmetric'");
  const DataType codes = !has_16 ? type : is_signed ? DataType::kS16 : DataType::kU16;
  const bool wishes = !specific.known && specific.enabled.value_or(true);
  const NodeId producer = index_.producer(id);
  if (wishes && producer != kNoNode &&
      target_.find_fixed(graph_.nodes[static_cast<size_t>(producer)], codes) != nullptr)
    refuse(target + " fixes the scale of what this operator computes; leave it out");
}

void check_overrides(const Graph& graph, const QuantizationScheme& scheme, const TargetProfile& target) {
  if (scheme.overrides.empty()) return;
  const OverrideChecker checker(graph, scheme, target);
  for (const auto& [name, specific] : scheme.overrides)
    with_context([&, &name = name] { return "override of '" + name + "'"; },
                 [&, &name = name, &specific = specific] { checker.check(name, specific); });
}

}  // namespace quantize
