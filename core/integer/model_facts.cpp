// Following Q and DQ.
#include "core/integer/model_facts.h"

#include <algorithm>

#include "core/integer/forms.h"
#include "core/integer/quantized_operand.h"

namespace quantize {

namespace {

// The bits of the codes behind all activations that a node reads: 8, or 16 for one that is; 0: it reads others.
int dequantized_bits(const Graph& graph, const GraphIndex& index, const Node& node) {
  int bits = 0;
  for (const ValueId id : node.inputs) {
    if (id == kNoValue || graph.value(id).is_constant()) continue;
    const NodeId producer = index.producer(id);
    if (producer == kNoNode) return 0;
    const Node& maker = graph.nodes[static_cast<size_t>(producer)];
    if (maker.op_type == "Constant") continue;
    if (maker.op_type != "DequantizeLinear") return 0;
    // Files need not say the type of a value; that of the zero point is in them.
    const ValueId typed = maker.input(2) == kNoValue ? maker.inputs[0] : maker.inputs[2];
    const DataType codes = graph.value(typed).dtype;
    bits = std::max(bits, codes == DataType::kU16 || codes == DataType::kS16 ? 16 : 8);
  }
  return bits;
}

/// Values that are computed of integer constants of a byte or less: codes of weights, as they are unpacked.
class UnpackedCodes {
 public:
  explicit UnpackedCodes(const Graph& graph) : graph_(graph), unpacked_(graph.values.size(), false) {}

  /// True for a node that unpacks, or looks up what the codes stand for. Requires: the nodes in order.
  bool take(const Node& node) {
    bool any = false;
    for (const ValueId id : node.inputs) {
      if (id == kNoValue) continue;
      const Value& value = graph_.value(id);
      if (!value.is_constant() && !unpacked_[static_cast<size_t>(id)]) return false;
      any = any || unpacked_[static_cast<size_t>(id)] || (value.is_constant() && is_code(value.dtype));
    }
    if (!any) return false;
    for (const ValueId id : node.outputs)
      if (id != kNoValue) unpacked_[static_cast<size_t>(id)] = true;
    return true;
  }

 private:
  static bool is_code(DataType type) {
    return type == DataType::kU8 || type == DataType::kS8 || packed_per_byte(type) > 1;
  }

  const Graph& graph_;
  std::vector<bool> unpacked_;
};

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
  UnpackedCodes unpacked(graph);
  bool forms = false, integers = false, quantizes_any = false, dynamic = false, stored = false;
  std::vector<bool> codes(graph.values.size(),
                          false);  // values that integer operators or Q made, or were moved
  for (const Node& node : graph.nodes) {
    if (node.op_type == "Constant") continue;
    const bool unpacks = unpacked.take(node);
    const bool quantizes = node.op_type == "QuantizeLinear", dequantizes = node.op_type == "DequantizeLinear";
    const bool integer = is_integer_operator(node);
    const bool moves =
        !dequantizes && node.input(0) != kNoValue && codes[static_cast<size_t>(node.inputs[0])];
    for (const ValueId id : node.outputs)
      if (id != kNoValue)
        codes[static_cast<size_t>(id)] = quantizes || moves || (integer && makes_codes(node));
    quantizes_any |= quantizes;
    stored |= dequantizes || node.op_type == "GatherBlockQuantized" ||
              (unpacks && node.op_type == "Gather") || node.op_type == "MatMulNBits";
    dynamic |= finds_ranges(node);
    if (quantizes || dequantizes || unpacks || (finds_ranges(node) && !integer)) continue;
    forms |= is_integer_form(node);
    integers |= integer;
    const int bits = integer || moves ? 8 : dequantized_bits(graph, index, node);
    ++(bits == 16 ? facts.int16_nodes : bits == 8 ? facts.int8_nodes : facts.float_nodes);
  }
  if (forms || (integers && !dynamic))
    facts.format = "int8";
  else if (quantizes_any)
    facts.format = "qdq";
  else if (dynamic)
    facts.format = "dynamic";
  else if (stored)
    facts.format = "weight-only";
  return facts;
}

ValueId behind_quantization(const Graph& graph, const GraphIndex& index, ValueId id) {
  const Node* quantize = reader(graph, index, id, "QuantizeLinear");
  const Node* dequantize =
      quantize == nullptr ? nullptr : reader(graph, index, quantize->output(0), "DequantizeLinear");
  return dequantize == nullptr ? id : dequantize->output(0);
}

std::optional<QuantParams> dequantization_of(const Graph& graph, ValueId id) {
  const GraphIndex index(graph);
  for (const GraphIndex::Use& use : index.uses(id)) {
    const Node& node = graph.nodes[static_cast<size_t>(use.node)];
    for (const CodeOperand& operand : slots_of(node).operands) {
      const auto read = constant_params(graph, node, operand.scale, operand.zero_point);
      if (operand.codes != use.input || !read) continue;
      QuantParams params;
      params.dtype = graph.value(id).dtype;
      params.scale = read->scale;
      params.zero_point = read->zero_point;
      const Range codes = code_range({.dtype = params.dtype, .num_bits = bits_of(params.dtype)});
      params.quant_min = static_cast<int32_t>(codes.min);
      params.quant_max = static_cast<int32_t>(codes.max);
      if (!read->per_tensor()) params.axis = node.int_attribute("axis", 1);
      return params;
    }
  }
  return std::nullopt;
}

}  // namespace quantize
