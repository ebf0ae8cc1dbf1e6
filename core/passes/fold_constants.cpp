// Evaluates what does not depend on the graph's inputs, with the operators' own reference code.
#include <algorithm>

#include "core/ops/op_registry.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

constexpr size_t kMaxNodeBytes = size_t{64} << 20;
constexpr size_t kMaxTotalBytes = size_t{2} << 30;  // a file of a few bytes must not fill the memory

/// Bytes of the node's results; nothing if they are not known yet.
std::optional<size_t> result_bytes(const Graph& graph, const Node& node) {
  size_t bytes = 0;
  for (ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    const Value& value = graph.value(id);
    if (size_of(value.dtype) == 0 || !value.shape || !is_static(*value.shape)) return std::nullopt;
    bytes += byte_count(value.dtype, *value.shape);
  }
  return bytes;
}

/// Bodies are run by the engine alone.
bool all_inputs_constant(const Graph& graph, const Node& node) {
  if (node.has_bodies()) return false;
  for (ValueId id : node.inputs)
    if (id != kNoValue && !graph.value(id).is_constant()) return false;
  return true;
}

/// Shape and Size read nothing but the extents of their input.
bool needs_only_known_shape(const Graph& graph, const Node& node) {
  const OpDef* def = try_find_op(graph, node);
  if (def == nullptr || !def->reads_shape_only) return false;
  const auto& shape = graph.value(node.inputs[0]).shape;
  return shape && is_static(*shape);
}

void fold(Graph& graph, const Node& node) {
  const OpDef& def = find_op(graph, node);
  std::vector<TensorView> inputs;
  for (ValueId id : node.inputs) {
    if (id == kNoValue)
      inputs.emplace_back();
    else if (graph.value(id).is_constant())
      inputs.push_back(graph.value(id).initializer.view());
    else
      inputs.push_back({graph.value(id).dtype, *graph.value(id).shape, nullptr});
  }
  std::vector<Tensor> results(node.outputs.size());
  std::vector<MutableTensorView> outputs(node.outputs.size());
  for (size_t i = 0; i < results.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    const Value& value = graph.value(node.outputs[i]);
    results[i] = Tensor(value.dtype, *value.shape);
    outputs[i] = results[i].mutable_view();
  }
  const bool empty =
      std::all_of(results.begin(), results.end(), [](const Tensor& result) { return result.size() == 0; });
  if (!empty) evaluate_reference(def, node, graph.opset_of(node), inputs, outputs);
  for (size_t i = 0; i < results.size(); ++i)
    if (node.outputs[i] != kNoValue) graph.value(node.outputs[i]).initializer = std::move(results[i]);
}

}  // namespace

void fold_constants(Graph& graph, ConstantCodes codes) {
  std::vector<Node> kept;
  size_t left = kMaxTotalBytes;
  for (Node& node : graph.nodes) {
    const bool constant = all_inputs_constant(graph, node) || needs_only_known_shape(graph, node);
    const bool stays = codes == ConstantCodes::kKeep && node.op_type == "DequantizeLinear";
    const auto bytes = constant && !stays ? result_bytes(graph, node) : std::nullopt;
    if (bytes && *bytes <= std::min(left, kMaxNodeBytes)) {
      with_context([&] { return describe(graph, node); }, [&] { fold(graph, node); });
      left -= *bytes;
    } else {
      kept.push_back(std::move(node));
    }
  }
  graph.nodes = std::move(kept);
}

}  // namespace quantize
