// Picking the code for an element type, and refusing the types an operator does not take.
#pragma once

#include <array>
#include <string>

#include "core/error.h"
#include "core/ops/op.h"

namespace quantize {

/// Sets of element types that operators compute with. Float is f32 and f64; f16 and bf16 are only moved and
/// converted (Cast).
inline constexpr std::array kFloatTypes{DataType::kF32, DataType::kF64};
inline constexpr std::array kIntegerTypes{DataType::kU8,  DataType::kS8,  DataType::kU16, DataType::kS16,
                                          DataType::kU32, DataType::kS32, DataType::kU64, DataType::kS64};
inline constexpr std::array kNumberTypes{DataType::kF32, DataType::kF64, DataType::kU8,  DataType::kS8,
                                         DataType::kU16, DataType::kS16, DataType::kU32, DataType::kS32,
                                         DataType::kU64, DataType::kS64};
inline constexpr std::array kIndexTypes{DataType::kS32, DataType::kS64};
inline constexpr std::array kF32Only{DataType::kF32};
inline constexpr std::array kBoolOnly{DataType::kBool};

/// Calls body.operator()<T>() for the one of `Types` that is `dtype`.
/// Errors: Error(kUnsupported) if none is.
template <typename... Types, typename Body>
void visit_types(DataType dtype, Body&& body) {
  const bool found = ((dtype == data_type_of<Types>() && (body.template operator()<Types>(), true)) || ...);
  if (!found)
    throw Error(ErrorKind::kUnsupported,
                "tensors of type " + std::string(name_of(dtype)) + " are not supported here");
}

/// The same for kFloatTypes, kNumberTypes.
template <typename Body>
void visit_float(DataType dtype, Body&& body) {
  visit_types<float, double>(dtype, body);
}
template <typename Body>
void visit_number(DataType dtype, Body&& body) {
  visit_types<float, double, uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, uint64_t, int64_t>(dtype,
                                                                                                       body);
}

/// Calls body.operator()<T>() with the unsigned integer as wide as the elements: for code that only moves
/// them.
template <typename Body>
void visit_width(size_t width, Body&& body) {
  if (width == 1) body.template operator()<uint8_t>();
  if (width == 2) body.template operator()<uint16_t>();
  if (width == 4) body.template operator()<uint32_t>();
  if (width == 8) body.template operator()<uint64_t>();
}

/// Refuses input i if its type is known and not in the list. Every infer calls it for what its evaluate
/// reads. Errors: Error(kUnsupported).
void require_type(const InferContext& context, size_t i, std::span<const DataType> allowed);

/// Refuses inputs of different types, as far as they are known. Errors: Error(kInvalidModel).
void require_same_type(const InferContext& context, size_t first, size_t second);

}  // namespace quantize
