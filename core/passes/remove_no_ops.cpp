// Removes nodes that hand their input on unchanged: Identity, Dropout, and others with parameters that make
// them so.
#include <algorithm>
#include <numeric>

#include "core/passes/passes.h"

namespace quantize {

namespace {

bool all_zero(const Tensor& tensor) {
  const auto values = tensor.to_vector<double>();
  return std::all_of(values.begin(), values.end(), [](double value) { return value == 0; });
}

/// Equal shapes with at most `unknown` unknown extents.
bool same_shape(const Graph& graph, const Node& node, int64_t unknown) {
  const auto &in = graph.value(node.inputs[0]).shape, &out = graph.value(node.outputs[0]).shape;
  return in && out && *in == *out && std::count(in->begin(), in->end(), kUnknownDim) <= unknown;
}

bool is_plain_dropout(const Graph& graph, const Node& node, const GraphIndex& index) {
  const ValueId mask = node.output(1), training = node.input(2);
  const bool mask_unused = mask == kNoValue || (index.uses(mask).empty() && !index.is_output(mask));
  return mask_unused &&
         (training == kNoValue || (graph.constant(training) && all_zero(*graph.constant(training))));
}

bool keeps_order(const Graph& graph, const Node& node) {
  const auto& shape = graph.value(node.inputs[0]).shape;
  if (!shape) return false;
  std::vector<int64_t> reversed(shape->size());
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  const auto perm = node.ints_attribute("perm", reversed);
  return std::is_sorted(perm.begin(), perm.end());
}

bool slices_forward(const Graph& graph, const Node& node) {
  if (node.input(4) == kNoValue) return true;
  const Tensor* steps = graph.constant(node.input(4));
  if (steps == nullptr) return false;
  const auto values = steps->to_vector<int64_t>();
  return std::all_of(values.begin(), values.end(), [](int64_t step) { return step > 0; });
}

bool is_no_op(const Graph& graph, const Node& node, const GraphIndex& index) {
  if (!node.domain.empty() || node.input(0) == kNoValue || node.output(0) == kNoValue) return false;
  const std::string& op = node.op_type;
  if (op == "Identity") return true;
  if (op == "Dropout") return is_plain_dropout(graph, node, index);
  if (op == "Cast")
    return node.int_attribute("to", 0) == static_cast<int64_t>(graph.value(node.inputs[0]).dtype);
  if (op == "Concat" || op == "Sum" || op == "Max" || op == "Min" || op == "Mean")
    return node.inputs.size() == 1;
  if (op == "Transpose") return keeps_order(graph, node);
  if (op == "Pad") return graph.constant(node.input(1)) && all_zero(*graph.constant(node.input(1)));
  // As many elements as before: one unknown extent must be the same too.
  if (op == "Reshape" || op == "Flatten") return same_shape(graph, node, 1);
  if (op == "Expand") return same_shape(graph, node, 0);
  if (op == "Slice") return same_shape(graph, node, 0) && slices_forward(graph, node);
  return false;
}

bool contains(const std::vector<ValueId>& ids, ValueId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

/// Connects the readers of the node's output to its input; false if the names of the graph's outputs forbid
/// it.
bool bypass(Graph& graph, const Node& node) {
  const ValueId x = node.inputs[0], y = node.outputs[0];
  if (!contains(graph.outputs, y)) {
    replace_uses(graph, y, x);
    return true;
  }
  // A graph output keeps its name: whatever computes x computes y instead, unless x has to stay for its own
  // sake.
  if (contains(graph.outputs, x) || contains(graph.inputs, x) || graph.value(x).is_constant()) return false;
  for (Node& other : graph.nodes) {
    std::replace(other.outputs.begin(), other.outputs.end(), x, y);
    std::replace(other.inputs.begin(), other.inputs.end(), x, y);
  }
  return true;
}

}  // namespace

void remove_no_ops(Graph& graph) {
  const GraphIndex index(graph);
  for (Node& node : graph.nodes) {
    const Node before = node;
    // Without outputs the node goes; the value it made may have another producer now.
    if (is_no_op(graph, before, index) && bypass(graph, before)) node.outputs.clear();
  }
  std::erase_if(graph.nodes, [](const Node& node) { return node.outputs.empty(); });
}

}  // namespace quantize
