// Looking up what a target says.
#include "core/quantization/target.h"

#include <algorithm>

#include "core/error.h"
#include "core/integer/forms.h"

namespace quantize {

namespace {

std::string text_of(DataType type) {
  return std::string(name_of(type));
}

bool is_one_of(std::span<const char* const> op_types, const Node& node) {
  return std::any_of(op_types.begin(), op_types.end(),
                     [&](const char* op_type) { return node.op_type == op_type; });
}

}  // namespace

const TargetProfile& find_target(const std::string& name) {
  std::string names;
  for (const TargetProfile* target : all_targets()) {
    if (name == target->name) return *target;
    names += std::string(names.empty() ? "" : ", ") + target->name;
  }
  throw Error(ErrorKind::kInvalidArgument, "there is no target '" + name + "'; the targets are: " + names);
}

bool IntegerOperator::has_weights() const {
  Node node;
  node.op_type = op_type;
  const IntegerForm* form = integer_form_of(node);
  return form != nullptr && form->shape != IslandShape::kOperands;
}

const IntegerOperator* TargetProfile::find(const Graph& graph, const Node& node) const {
  if (!node.domain.empty() || !keeps_meaning_on_codes(node) || mislays(graph, node)) return nullptr;
  for (const IntegerOperator& candidate : operators)
    if (node.op_type == candidate.op_type && candidate.fits(graph, node)) return &candidate;
  return nullptr;
}

const UnaskedFusion* TargetProfile::find_unasked(const Node& node) const {
  if (!node.domain.empty()) return nullptr;
  for (const UnaskedFusion& fusion : unasked_fusions)
    if (node.op_type == fusion.op_type) return &fusion;
  return nullptr;
}

const FixedOutput* TargetProfile::find_fixed(const Node& node, DataType codes) const {
  if (!node.domain.empty()) return nullptr;
  for (const FixedOutput& fixed : fixed_outputs)
    if (node.op_type == fixed.op_type && codes == fixed.codes) return &fixed;
  return nullptr;
}

bool TargetProfile::moves_over_node(const Node& node) const {
  return node.domain.empty() && is_one_of(moves_over, node);
}

bool TargetProfile::compares_codes_in(const Node& node) const {
  return node.domain.empty() && is_one_of(compares_codes, node);
}

bool TargetProfile::has_channel_weights() const {
  return std::any_of(operators.begin(), operators.end(),
                     [](const IntegerOperator& each) { return each.has_weights() && each.channel_weights; });
}

bool TargetProfile::mislays(const Graph& graph, const Node& node) const {
  return node.domain.empty() && std::any_of(mislaid.begin(), mislaid.end(), [&](const MislaidForm& form) {
           return node.op_type == form.op_type && form.when(graph, node);
         });
}

const Fusion* TargetProfile::find_fusion(ChainPart part, const Graph& graph, const Node& node) const {
  for (const Fusion& fusion : fusions)
    if (fusion.part == part && fusion.behind(graph, node)) return &fusion;
  return nullptr;
}

bool TargetProfile::fuses(ChainPart part) const {
  return std::any_of(fusions.begin(), fusions.end(),
                     [&](const Fusion& fusion) { return fusion.part == part; });
}

ChainRules TargetProfile::chain_rules(const Graph& graph, const Node& node) const {
  return {.clamp = true,
          .function = find_fusion(ChainPart::kFunction, graph, node) != nullptr,
          .addition = find_fusion(ChainPart::kAddition, graph, node) != nullptr,
          .late_residual = false};
}

bool SixteenBits::takes(const Node& node) const {
  return !is_one_of(without, node);
}

bool SixteenBits::runs_on_codes(const Node& node) const {
  return takes(node) && (in_integers || is_one_of(moves, node));
}

const TypePair* TargetProfile::find_types(DataType activation, DataType weight,
                                          const IntegerOperator* by) const {
  if (bits_of(activation) == 16 && sixteen_bits == nullptr) return nullptr;
  if (activation == DataType::kU16) activation = DataType::kU8;
  if (activation == DataType::kS16) activation = DataType::kS8;
  for (const TypePair& pair : by == nullptr || by->type_pairs.empty() ? type_pairs : by->type_pairs)
    if (pair.activation == activation && pair.weight == weight) return &pair;
  return nullptr;
}

const TypePair& TargetProfile::choose_types(std::optional<DataType> activation,
                                            std::optional<DataType> weight) const {
  std::string known;
  for (const TypePair& pair : type_pairs) {
    if (activation.value_or(pair.activation) == pair.activation &&
        weight.value_or(pair.weight) == pair.weight)
      return pair;
    known += (known.empty() ? "" : ", ") + text_of(pair.activation) + " activations by " +
             text_of(pair.weight) + " weights";
  }
  throw Error(ErrorKind::kInvalidArgument, std::string("target ") + name + " does not multiply " +
                                               (activation ? text_of(*activation) : "any") +
                                               " activations by " + (weight ? text_of(*weight) : "any") +
                                               " weights; it multiplies " + known);
}

}  // namespace quantize
