// Sizes and names of the element types.
#include "core/data_type.h"

namespace quantize {

size_t size_of(DataType type) {
  switch (type) {
    case DataType::kU8:
    case DataType::kS8:
    case DataType::kBool:
    case DataType::kF8E4M3FN:
    case DataType::kF8E4M3FNUZ:
    case DataType::kF8E5M2:
    case DataType::kF8E5M2FNUZ:
    case DataType::kU4:
    case DataType::kS4:
    case DataType::kF4E2M1:
    case DataType::kF8E8M0:
    case DataType::kU2:
    case DataType::kS2:
      return 1;
    case DataType::kU16:
    case DataType::kS16:
    case DataType::kF16:
    case DataType::kBF16:
      return 2;
    case DataType::kF32:
    case DataType::kS32:
    case DataType::kU32:
      return 4;
    case DataType::kS64:
    case DataType::kU64:
    case DataType::kF64:
      return 8;
    default:
      return 0;
  }
}

int packed_per_byte(DataType type) {
  switch (type) {
    case DataType::kU4:
    case DataType::kS4:
    case DataType::kF4E2M1:
      return 2;
    case DataType::kU2:
    case DataType::kS2:
      return 4;
    default:
      return 1;
  }
}

std::string_view name_of(DataType type) {
  switch (type) {
    case DataType::kF32:
      return "f32";
    case DataType::kU8:
      return "u8";
    case DataType::kS8:
      return "s8";
    case DataType::kU16:
      return "u16";
    case DataType::kS16:
      return "s16";
    case DataType::kS32:
      return "s32";
    case DataType::kS64:
      return "s64";
    case DataType::kString:
      return "string";
    case DataType::kBool:
      return "bool";
    case DataType::kF16:
      return "f16";
    case DataType::kF64:
      return "f64";
    case DataType::kU32:
      return "u32";
    case DataType::kU64:
      return "u64";
    case DataType::kBF16:
      return "bf16";
    case DataType::kF8E4M3FN:
      return "f8e4m3fn";
    case DataType::kF8E4M3FNUZ:
      return "f8e4m3fnuz";
    case DataType::kF8E5M2:
      return "f8e5m2";
    case DataType::kF8E5M2FNUZ:
      return "f8e5m2fnuz";
    case DataType::kU4:
      return "u4";
    case DataType::kS4:
      return "s4";
    case DataType::kF4E2M1:
      return "f4e2m1";
    case DataType::kF8E8M0:
      return "f8e8m0";
    case DataType::kU2:
      return "u2";
    case DataType::kS2:
      return "s2";
    default:
      return "undefined";
  }
}

}  // namespace quantize
