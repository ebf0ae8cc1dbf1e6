// The element types of tensors and their ONNX numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quantize {

/// Element types. The values are those of onnx.TensorProto.DataType, so that reading and writing is a cast.
enum class DataType : int32_t {
  kUndefined = 0,
  kF32 = 1,
  kU8 = 2,
  kS8 = 3,
  kU16 = 4,
  kS16 = 5,
  kS32 = 6,
  kS64 = 7,
  kString = 8,
  kBool = 9,
  kF16 = 10,
  kF64 = 11,
  kU32 = 12,
  kU64 = 13,
  kBF16 = 16,
  // One byte per element in memory, also those that files pack two or four to a byte.
  kF8E4M3FN = 17,
  kF8E4M3FNUZ = 18,
  kF8E5M2 = 19,
  kF8E5M2FNUZ = 20,
  kU4 = 21,
  kS4 = 22,
  kF4E2M1 = 23,
  kF8E8M0 = 24,
  kU2 = 25,
  kS2 = 26,
};

/// Bytes per element; 0 for kUndefined, kString and numbers that are not in the list.
size_t size_of(DataType type);

/// Elements that ONNX files pack into one byte: 2 for types of 4 bits, 4 for those of 2, else 1.
int packed_per_byte(DataType type);

/// "f32", "u8", ...; "string"; "undefined" for anything else.
std::string_view name_of(DataType type);

/// The DataType of a C++ element type: data_type_of<float>() is kF32.
template <typename T>
constexpr DataType data_type_of();

template <>
constexpr DataType data_type_of<float>() {
  return DataType::kF32;
}
template <>
constexpr DataType data_type_of<double>() {
  return DataType::kF64;
}
template <>
constexpr DataType data_type_of<uint8_t>() {
  return DataType::kU8;
}
template <>
constexpr DataType data_type_of<int8_t>() {
  return DataType::kS8;
}
template <>
constexpr DataType data_type_of<uint16_t>() {
  return DataType::kU16;
}
template <>
constexpr DataType data_type_of<int16_t>() {
  return DataType::kS16;
}
template <>
constexpr DataType data_type_of<uint32_t>() {
  return DataType::kU32;
}
template <>
constexpr DataType data_type_of<int32_t>() {
  return DataType::kS32;
}
template <>
constexpr DataType data_type_of<uint64_t>() {
  return DataType::kU64;
}
template <>
constexpr DataType data_type_of<int64_t>() {
  return DataType::kS64;
}
template <>
constexpr DataType data_type_of<bool>() {
  return DataType::kBool;
}

}  // namespace quantize
