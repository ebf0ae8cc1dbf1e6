// Looks operators up in the list of all_ops.
#include "core/ops/op_registry.h"

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

bool same_operator(const OpDef& def, const Node& node) {
  return node.op_type == def.op_type && node.domain == def.domain;
}

}  // namespace

const OpDef* try_find_op(const Graph& graph, const Node& node) {
  const int64_t opset = graph.opset_of(node);
  for (const OpDef& def : all_ops())
    if (same_operator(def, node) && def.min_opset <= opset && opset <= def.max_opset) return &def;
  return nullptr;
}

const OpDef& find_op(const Graph& graph, const Node& node) {
  if (const OpDef* def = try_find_op(graph, node)) return *def;
  const auto ops = all_ops();
  const bool other_version =
      std::any_of(ops.begin(), ops.end(), [&](const OpDef& def) { return same_operator(def, node); });
  const std::string op = (node.domain.empty() ? "" : node.domain + ".") + node.op_type;
  if (other_version)
    throw Error(ErrorKind::kUnsupported, "operator " + op + " is not supported at opset " +
                                             std::to_string(graph.opset_of(node)) +
                                             "; export the model with opset 13 to 21");
  throw Error(ErrorKind::kUnsupported,
              "operator " + op + " is not supported; export the model without it, or split it off the model");
}

size_t required_outputs(const Node& node) {
  constexpr std::pair<std::string_view, size_t> kSeveral[] = {
      {"CausalConvWithState", 2}, {"DynamicQuantizeLinear", 3}, {"LinearAttention", 2}, {"TopK", 2}};
  for (const auto& [op_type, count] : kSeveral)
    if (node.domain.empty() && node.op_type == op_type) return count;
  return 1;
}

void evaluate_reference(const OpDef& def, const Node& node, int64_t opset, std::span<const TensorView> inputs,
                        std::span<const MutableTensorView> outputs) {
  def.evaluate({node, opset, kernels_for(Isa::kScalar), inputs, outputs});
}

bool fills(const Graph& graph, const Node& node) {
  const OpDef* def = try_find_op(graph, node);
  return def != nullptr && def->fills != nullptr && def->fills(node, graph.opset_of(node));
}

CodeSlots slots_of(const Node& node) {
  const auto ops = all_ops();
  const auto def =
      std::find_if(ops.begin(), ops.end(), [&](const OpDef& each) { return same_operator(each, node); });
  if (def == ops.end()) return {};
  CodeSlots slots = def->slots;
  if (slots.y_scale != kAnyNumber && node.input(slots.y_scale) == kNoValue) slots.y_scale = kAnyNumber;
  if (slots.repeats_every == 0) return slots;
  const size_t first = slots.operands.front().codes;
  return slots.repeated((std::max(node.inputs.size(), first) - first) / slots.repeats_every);
}

}  // namespace quantize
