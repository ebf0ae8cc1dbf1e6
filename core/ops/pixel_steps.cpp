// Which images lie as pixels, seen from an operator.
#include "core/ops/pixel_steps.h"

namespace quantize {

bool is_u8_image(const Graph& graph, ValueId id) {
  if (id == kNoValue) return false;
  const Value& value = graph.value(id);
  return !value.is_constant() && value.dtype == DataType::kU8 && value.shape && value.shape->size() == 4;
}

}  // namespace quantize
