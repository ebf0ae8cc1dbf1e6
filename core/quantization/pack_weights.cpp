#include "core/quantization/pack_weights.h"

#include <algorithm>
#include <map>

#include "core/integer/islands.h"
#include "core/quantization/modes/node_writer.h"
#include "core/quantization/modes/pack_bits.h"

namespace quantize {

namespace {

constexpr int64_t kHalf = 4;  // bits of s4

bool is_worth_it(const Tensor& codes, int64_t bits) {
  const auto count = static_cast<uint64_t>(codes.size());
  return bits < 8 && packed_bytes(count, bits) + kLookUpBytes < count;
}

Graph pack(Graph graph) {
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  NodeWriter writer(graph);
  std::map<ValueId, ValueId> packed;
  for (Node& node : nodes) {
    for (size_t i = 0; i + node.captures < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      const Tensor* codes = graph.constant(id);
      if (codes == nullptr || codes->dtype() != DataType::kS8) continue;
      const int64_t bits = bits_in_use(*codes);
      if (!is_worth_it(*codes, bits)) continue;
      const auto [known, is_new] = packed.try_emplace(id, kNoValue);
      const std::string name = graph.value(id).name;  // values move when some are added
      if (is_new) known->second = writer.unpacked_codes(name, Tensor(*codes), bits);
      node.inputs[i] = known->second;
    }
    writer.push(std::move(node));
  }
  return graph;
}

/// The codes of DequantizeLinear that 4 bits hold, and their zero points, as s4.
void halve(Graph& graph) {
  std::map<ValueId, ValueId> halved;
  const auto take_half = [&](ValueId& id) {
    if (graph.constant(id) == nullptr) return;
    const auto [known, is_new] = halved.try_emplace(id, kNoValue);
    const Value value = graph.value(id);  // values move when some are added
    if (is_new)
      known->second = graph.add_constant(value.name + "_s4", retyped(value.initializer, DataType::kS4));
    id = known->second;
  };
  for (Node& node : graph.nodes) {
    const Tensor* codes = is_dequantize(node) ? graph.constant(node.inputs[0]) : nullptr;
    if (codes == nullptr || codes->dtype() != DataType::kS8 || codes->shape().size() < 2 ||
        bits_in_use(*codes) > kHalf)
      continue;
    take_half(node.inputs[0]);
    if (node.input(2) != kNoValue) take_half(node.inputs[2]);
  }
}

}  // namespace

CodeForm code_form(const TargetProfile& target, bool of_operators) {
  if (of_operators || (target.unpacks_codes && target.takes_codes)) return CodeForm::kPacked;
  return target.multiplies_s4 ? CodeForm::kHalfBytes : CodeForm::kWholeBytes;
}

const char* name_of(CodeForm form) {
  return form == CodeForm::kPacked ? "packed" : form == CodeForm::kHalfBytes ? "s4" : "a byte each";
}

int64_t opset_of(CodeForm form) {
  constexpr int64_t kUnpacking = 18, kHalfBytes = 21;
  return form == CodeForm::kPacked ? kUnpacking : form == CodeForm::kHalfBytes ? kHalfBytes : 0;
}

int64_t bits_in_use(const Tensor& codes) {
  const int8_t* begin = codes.data<int8_t>();
  const auto [low, high] = std::minmax_element(begin, begin + codes.size());
  int64_t bits = 2;
  while (codes.size() != 0 && (*low < -(1 << (bits - 1)) || *high >= 1 << (bits - 1))) ++bits;
  return bits;
}

uint64_t packed_weight_bytes(const Tensor& codes, CodeForm form) {
  const int64_t bits = bits_in_use(codes);
  const auto count = static_cast<uint64_t>(codes.size());
  if (form == CodeForm::kHalfBytes && bits <= kHalf) return packed_bytes(count, kHalf);
  return form == CodeForm::kPacked && is_worth_it(codes, bits) ? packed_bytes(count, bits) : count;
}

Graph pack_weights(Graph graph, CodeForm form) {
  if (form == CodeForm::kHalfBytes) halve(graph);
  return form == CodeForm::kPacked ? pack(std::move(graph)) : graph;
}

}  // namespace quantize
