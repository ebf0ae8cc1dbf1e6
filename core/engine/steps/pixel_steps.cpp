// Which images lie as pixels, seen from an operator.
#include "core/engine/steps/pixel_steps.h"

#include "core/integer/quantized_operand.h"

namespace quantize {

bool is_u8_image(const Graph& graph, ValueId id) {
  if (id == kNoValue) return false;
  const Value& value = graph.value(id);
  return !value.is_constant() && value.dtype == DataType::kU8 && value.shape && value.shape->size() == 4;
}

bool is_plain_u8(const Graph& graph, const Node& node) {
  const CodeSlots slots = slots_of(node);
  const auto is_u8 = [&](ValueId id) { return graph.value(id).dtype == DataType::kU8; };
  return is_u8(node.outputs[0]) && has_scalar_params(graph, node, slots.y_scale) &&
         std::all_of(slots.operands.begin(), slots.operands.end(), [&](const CodeOperand& operand) {
           return is_u8(node.inputs[operand.codes]) && has_scalar_params(graph, node, operand.scale);
         });
}

void look_up_rows(const KernelTable& kernels, const ImageData<const uint8_t>& x, const ImageData<uint8_t>& y,
                  const uint8_t* table, UnitRange rows) {
  TableU8 call;
  call.rows = static_cast<size_t>(x.storage.width);
  call.n = static_cast<size_t>(x.storage.channels);
  call.x_stride = x.storage.pixel_stride;
  call.y_stride = y.storage.pixel_stride;
  call.table = table;
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    call.x = x.data + x.storage.row_offset(r);
    call.y = y.data + y.storage.row_offset(r);
    kernels.table_u8(call);
  }
}

}  // namespace quantize
