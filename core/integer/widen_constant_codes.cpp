// Constant codes of few bits as those of 8, which kernels multiply.
#include <map>

#include "core/integer/islands.h"
#include "core/integer/lowering.h"
#include "core/integer/narrow_codes.h"

namespace quantize {

namespace {

/// In memory they have a byte each already.
Tensor widened(const Tensor& codes) {
  const bool is_signed = codes.dtype() == DataType::kS4 || codes.dtype() == DataType::kS2;
  Tensor result(is_signed ? DataType::kS8 : DataType::kU8, codes.shape());
  std::copy_n(static_cast<const uint8_t*>(codes.bytes()), codes.byte_size(),
              static_cast<uint8_t*>(result.mutable_bytes()));
  return result;
}

}  // namespace

void widen_constant_codes(Graph& graph) {
  std::map<ValueId, ValueId> known;
  const auto widen = [&](ValueId& id) {
    const auto [entry, is_new] = known.try_emplace(id, kNoValue);
    const Value value = graph.value(id);  // values move when some are added
    if (is_new) entry->second = graph.add_constant(value.name + "_widened", widened(value.initializer));
    id = entry->second;
  };
  for (Node& node : graph.nodes) {
    if (!is_dequantize(node) || has_blocks(node)) continue;
    const Tensor *codes = graph.constant(node.inputs[0]), *zero = graph.constant(node.input(2));
    if (codes == nullptr || packed_per_byte(codes->dtype()) == 1 ||
        (node.input(2) != kNoValue && zero == nullptr))
      continue;
    widen(node.inputs[0]);
    if (zero != nullptr) widen(node.inputs[2]);
  }
}

}  // namespace quantize
