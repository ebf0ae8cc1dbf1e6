// s8 codes as u8. Read relabel_signed() at the end.
#include <algorithm>
#include <map>

#include "core/integer/forms.h"
#include "core/integer/lowering.h"
#include "core/ops/op.h"

namespace quantize {

namespace {

/// Where an operator has the zero points of its operands.
struct ZeroPoints {
  std::map<size_t, size_t> of_input;  // input of codes -> its zero point
  size_t of_output = SIZE_MAX;        // SIZE_MAX: the result is no code, or has the input's
  bool shifts_operands = false;       // Clip: operands 1 and 2 are codes themselves
};

/// nullopt: nothing is known of the operator.
std::optional<ZeroPoints> zero_points_of(const Graph& graph, const Node& node) {
  const CodeSlots slots = slots_of(node);
  if (!slots.operands.empty() || slots.y_scale != kAnyNumber) {
    ZeroPoints result;
    for (const CodeOperand& operand : slots.operands) result.of_input[operand.codes] = operand.zero_point;
    if (slots.y_scale != kAnyNumber) result.of_output = slots.y_scale + 1;
    return result;
  }
  if (node.op_type == "Clip") return ZeroPoints{{{0, SIZE_MAX}}, SIZE_MAX, true};
  if (!hands_codes_on(graph, node)) return std::nullopt;
  ZeroPoints result;
  const bool of_any = find_op(graph, node).max_inputs == kAnyNumber;
  for (size_t i = 0; i < (of_any ? node.inputs.size() : 1); ++i) result.of_input[i] = SIZE_MAX;
  return result;
}

class Relabeller {
 public:
  Relabeller(Graph& graph, const std::vector<bool>& keep) : graph_(graph), keep_(keep), index_(graph) {}

  void relabel() {
    if (!all_can()) return;
    for (Node& node : graph_.nodes) shift_operands(node);
    for (size_t id = 0; id < is_signed_.size(); ++id)
      if (is_signed_[id]) graph_.values[id].dtype = DataType::kU8;
  }

 private:
  /// Marks the s8 values; false if one of them is pinned or an operator at it is unknown.
  bool all_can() {
    is_signed_.assign(graph_.values.size(), false);
    for (const Node& node : graph_.nodes)
      for (ValueId id : node.outputs)
        if (id != kNoValue && graph_.value(id).dtype == DataType::kS8)
          is_signed_[static_cast<size_t>(id)] = true;
    for (size_t id = 0; id < is_signed_.size(); ++id)
      if (is_signed_[id] && (index_.is_output(static_cast<ValueId>(id)) || (id < keep_.size() && keep_[id])))
        return false;
    return std::all_of(graph_.nodes.begin(), graph_.nodes.end(), [&](const Node& node) { return can(node); });
  }

  bool is_signed(ValueId id) const { return id != kNoValue && is_signed_[static_cast<size_t>(id)]; }

  bool can(const Node& node) const {
    const bool makes =
        std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) { return is_signed(id); });
    const bool reads =
        std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return is_signed(id); });
    if (!makes && !reads) return true;
    const auto places = zero_points_of(graph_, node);
    if (!places) return false;
    const auto is_constant = [&](size_t i) { return graph_.constant(node.input(i)) != nullptr; };
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (!is_signed(node.inputs[i])) continue;
      const auto place = places->of_input.find(i);
      if (place == places->of_input.end() || (place->second != SIZE_MAX && !is_constant(place->second)))
        return false;
      if (place->second == SIZE_MAX && !makes) return false;  // moves codes, but not to s8
    }
    if (makes && places->of_output != SIZE_MAX && !is_constant(places->of_output)) return false;
    // An operator that moves codes must get them all from s8 values that become u8.
    if (makes && places->of_output == SIZE_MAX)
      for (const auto& [i, zero_point] : places->of_input)
        if (!is_signed(node.input(i))) return false;
    return !places->shifts_operands || (is_constant(1) && is_constant(2));
  }

  void shift_operands(Node& node) {
    const auto places = zero_points_of(graph_, node);
    if (!places) return;
    const bool makes = is_signed(node.output(0));
    for (const auto& [i, zero_point] : places->of_input)
      if (is_signed(node.input(i)) && zero_point != SIZE_MAX) shift(node.inputs[zero_point]);
    if (makes && places->of_output != SIZE_MAX) shift(node.inputs[places->of_output]);
    if (makes && places->shifts_operands) shift(node.inputs[1]), shift(node.inputs[2]);
  }

  /// The constant plus 128, as u8; several nodes share one.
  void shift(ValueId& id) {
    const auto [place, is_new] = shifted_.try_emplace(id, kNoValue);
    if (is_new) {
      const Tensor codes = graph_.value(id).initializer;
      Tensor result(DataType::kU8, codes.shape());
      for (int64_t i = 0; i < codes.size(); ++i)
        result.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(codes.data<int8_t>()[i] + 128);
      place->second = graph_.add_constant(graph_.value(id).name + "_as_u8", std::move(result));
    }
    id = place->second;
  }

  Graph& graph_;
  const std::vector<bool>& keep_;
  const GraphIndex index_;
  std::vector<bool> is_signed_;
  std::map<ValueId, ValueId> shifted_;
};

}  // namespace

void relabel_signed(Graph& graph, const std::vector<bool>& keep) {
  Relabeller(graph, keep).relabel();
}

}  // namespace quantize
