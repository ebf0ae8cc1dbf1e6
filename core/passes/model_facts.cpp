// Following Q and DQ.
#include "core/passes/model_facts.h"

namespace quantize {

namespace {

bool is_integer_operator(const std::string& op_type) {
  return op_type.starts_with("QLinear") || op_type == "QGemm" || op_type.ends_with("Integer");
}

bool reads_dequantized_only(const Graph& graph, const GraphIndex& index, const Node& node) {
  bool any = false;
  for (const ValueId id : node.inputs) {
    if (id == kNoValue || graph.value(id).is_constant()) continue;
    const NodeId producer = index.producer(id);
    if (producer == kNoNode) return false;
    const std::string& op_type = graph.nodes[static_cast<size_t>(producer)].op_type;
    if (op_type == "Constant") continue;
    if (op_type != "DequantizeLinear") return false;
    any = true;
  }
  return any;
}

// The node of that type that reads a value as its data, or nullptr.
const Node* reader(const Graph& graph, const GraphIndex& index, ValueId id, const char* op_type) {
  for (const GraphIndex::Use& use : index.uses(id)) {
    const Node& node = graph.nodes[static_cast<size_t>(use.node)];
    if (node.op_type == op_type && use.input == 0) return &node;
  }
  return nullptr;
}

}  // namespace

QuantizationFacts quantization_facts(const Graph& graph) {
  const GraphIndex index(graph);
  QuantizationFacts facts;
  bool integer_operators = false, qdq = false;
  for (const Node& node : graph.nodes) {
    if (node.op_type == "Constant") continue;
    if (node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear") {
      qdq = true;
      continue;
    }
    const bool integer = is_integer_operator(node.op_type);
    integer_operators |= integer;
    ++(integer || reads_dequantized_only(graph, index, node) ? facts.int8_nodes : facts.float_nodes);
  }
  if (integer_operators)
    facts.format = "int8";
  else if (qdq)
    facts.format = "qdq";
  return facts;
}

ValueId behind_quantization(const Graph& graph, const GraphIndex& index, ValueId id) {
  const Node* quantize = reader(graph, index, id, "QuantizeLinear");
  const Node* dequantize =
      quantize == nullptr ? nullptr : reader(graph, index, quantize->output(0), "DequantizeLinear");
  return dequantize == nullptr ? id : dequantize->output(0);
}

std::optional<QuantParams> dequantization_of(const Graph& graph, ValueId id) {
  const Node* dequantize = reader(graph, GraphIndex(graph), id, "DequantizeLinear");
  const Tensor* scale = dequantize == nullptr ? nullptr : graph.constant(dequantize->input(1));
  if (scale == nullptr) return std::nullopt;
  QuantParams params;
  params.dtype = graph.value(id).dtype;
  params.scale = scale->to_vector<float>();
  params.zero_point.assign(params.scale.size(), 0);
  const Range codes = code_range({.dtype = params.dtype});
  params.quant_min = static_cast<int32_t>(codes.min);
  params.quant_max = static_cast<int32_t>(codes.max);
  if (scale->size() != 1) params.axis = dequantize->int_attribute("axis", 1);
  if (const Tensor* zero_point = graph.constant(dequantize->input(2))) {
    const std::vector<int64_t> values = zero_point->to_vector<int64_t>();
    params.zero_point.assign(values.begin(), values.end());
  }
  return params;
}

}  // namespace quantize
