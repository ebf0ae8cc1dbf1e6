// Shape inference of broadcasting operators.
#include "core/ops/support/broadcast.h"

namespace quantize {

std::optional<Shape> broadcast_inputs(const InferContext& context, size_t first) {
  Shape result;
  for (size_t i = first; i < context.input_count(); ++i) {
    const auto shape = context.shape(i);
    if (!shape) return std::nullopt;
    result = broadcast(result, *shape);
  }
  return result;
}

}  // namespace quantize
