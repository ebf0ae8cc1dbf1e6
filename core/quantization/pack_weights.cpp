#include "core/quantization/pack_weights.h"

#include <algorithm>
#include <map>

#include "core/quantization/modes/node_writer.h"
#include "core/quantization/modes/pack_bits.h"

namespace quantize {

namespace {

bool is_worth_it(const Tensor& codes, int64_t bits) {
  const auto count = static_cast<uint64_t>(codes.size());
  return bits < 8 && packed_bytes(count, bits) + kLookUpBytes < count;
}

}  // namespace

bool takes_packed(const TargetProfile& target) {
  return target.unpacks_codes && target.takes_codes;
}

int64_t bits_in_use(const Tensor& codes) {
  const int8_t* begin = codes.data<int8_t>();
  const auto [low, high] = std::minmax_element(begin, begin + codes.size());
  int64_t bits = 2;
  while (codes.size() != 0 && (*low < -(1 << (bits - 1)) || *high >= 1 << (bits - 1))) ++bits;
  return bits;
}

uint64_t packed_weight_bytes(const Tensor& codes) {
  const int64_t bits = bits_in_use(codes);
  return is_worth_it(codes, bits) ? packed_bytes(static_cast<uint64_t>(codes.size()), bits)
                                  : codes.byte_size();
}

Graph pack_weights(Graph graph) {
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

}  // namespace quantize
