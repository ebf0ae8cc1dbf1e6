// Gives a model of a newer opset the lowest that has all it uses. Read kNewForms first.
#include <algorithm>
#include <string_view>

#include "core/ops/op.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

constexpr int64_t kWidelyRun =
    21;  // newer opsets brought new operators, types and the forms below, nothing else

/// A form that an operator got after kWidelyRun: an attribute of this name, or an input at this place.
struct NewForm {
  int64_t opset;
  std::string_view op_type, attribute;
  size_t input = 0;
};

constexpr NewForm kNewForms[] = {
    {23, "DequantizeLinear", "output_dtype"},
    {23, "QuantizeLinear", "precision"},
    {24, "Attention", "", 6},
    {24, "Cast", "round_mode"},
    {24, "CastLike", "round_mode"},
    {25, "Attention", "left_window_size"},
    {25, "Attention", "right_window_size"},
    {27, "Range", "stash_type"},
    {28, "SpaceToDepth", "mode"},
};

/// The opset that brought an element type.
int64_t opset_of(DataType dtype) {
  if (dtype == DataType::kF4E2M1) return 23;
  if (dtype == DataType::kF8E8M0) return 24;
  if (dtype == DataType::kU2 || dtype == DataType::kS2) return 25;
  return kWidelyRun;
}

int64_t needed_opset(const Graph& graph, const Node& node) {
  const OpDef* def = try_find_op(graph, node);
  int64_t opset = def == nullptr ? graph.opset() : std::max<int64_t>(kWidelyRun, def->min_opset);
  for (const NewForm& form : kNewForms)
    if (node.op_type == form.op_type && (form.input == 0 ? node.has_attribute(std::string(form.attribute))
                                                         : node.input(form.input) != kNoValue))
      opset = std::max(opset, form.opset);
  const DataType first = node.inputs.empty() || node.inputs[0] == kNoValue
                             ? DataType::kUndefined
                             : graph.value(node.inputs[0]).dtype;
  if (node.op_type == "BitShift" && (first == DataType::kS8 || first == DataType::kS16 ||
                                     first == DataType::kS32 || first == DataType::kS64))
    opset = std::max<int64_t>(opset, 28);
  for (const std::vector<ValueId>* list : {&node.inputs, &node.outputs})
    for (const ValueId id : *list)
      if (id != kNoValue) opset = std::max(opset, opset_of(graph.value(id).dtype));
  return opset;
}

/// Of a graph and of the bodies in it, which have its opset.
int64_t needed_opset(const Graph& graph) {
  int64_t opset = kWidelyRun;
  for (const Node& node : graph.nodes) {
    if (node.domain.empty()) opset = std::max(opset, needed_opset(graph, node));
    for (const auto& [name, attribute] : node.attributes)
      if (const Body* body = std::get_if<Body>(&attribute)) opset = std::max(opset, needed_opset(**body));
  }
  return opset;
}

}  // namespace

void lower_opset(Graph& graph) {
  if (graph.opset() > kWidelyRun) graph.info.opsets[""] = std::min(needed_opset(graph), graph.opset());
}

}  // namespace quantize
