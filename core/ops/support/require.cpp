// Checks that the operators with weights and windows make of their inputs.
#include "core/ops/support/require.h"

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

void require(bool condition, const std::string& message) {
  if (!condition) invalid_model(message);
}

void require_f32(const InferContext& context) {
  constexpr std::array kF32{DataType::kF32};
  for (size_t i = 0; i < context.input_count(); ++i) require_type(context, i, kF32);
}

bool compatible(int64_t a, int64_t b) {
  return a == b || a == kUnknownDim || b == kUnknownDim;
}

}  // namespace quantize
