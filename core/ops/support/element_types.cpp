// Checks of the types of an operator's inputs.
#include "core/ops/support/element_types.h"

#include <algorithm>

namespace quantize {

void require_type(const InferContext& context, size_t i, std::span<const DataType> allowed) {
  const DataType dtype = context.input(i).dtype;
  if (dtype == DataType::kUndefined || std::find(allowed.begin(), allowed.end(), dtype) != allowed.end())
    return;
  throw Error(ErrorKind::kUnsupported, "input " + std::to_string(i) + " has type " +
                                           std::string(name_of(dtype)) +
                                           ", which is not supported; export the model with f32 tensors");
}

void require_same_type(const InferContext& context, size_t first, size_t second) {
  const DataType a = context.input(first).dtype, b = context.input(second).dtype;
  if (a != b && a != DataType::kUndefined && b != DataType::kUndefined)
    throw Error(ErrorKind::kInvalidModel,
                "input " + std::to_string(first) + " has type " + std::string(name_of(a)) + " and input " +
                    std::to_string(second) + " has type " + std::string(name_of(b)));
}

}  // namespace quantize
