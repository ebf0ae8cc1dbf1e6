// Floats of 16 bits and fewer are read as f32 and written from it; integers of 4 and 2 bits as s8 and u8.
#include "core/ops/support/convert_tensor.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

#include "core/ops/support/convert.h"
#include "core/ops/support/element_types.h"

namespace quantize {

namespace {

/// IEEE 754 binary16: 1 sign, 5 exponent, 10 mantissa bits.
float from_f16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 31u, mantissa = bits & 1023u;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign == 0 ? magnitude : -magnitude;
  }
  const uint32_t wide = exponent == 31 ? 255 : exponent + 127 - 15;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

/// Round half to even; above the largest number to infinity.
uint16_t to_f16(float x) {
  const auto sign = static_cast<uint16_t>(std::signbit(x) ? 0x8000 : 0);
  const float magnitude = std::abs(x);
  if (std::isnan(x)) return static_cast<uint16_t>(sign | 0x7e00);
  if (magnitude >= 65520.0f) return static_cast<uint16_t>(sign | 0x7c00);
  if (magnitude < 0x1p-14f)  // subnormal: steps of 2^-24
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(magnitude * 0x1p24f)));
  const auto bits = std::bit_cast<uint32_t>(magnitude);
  const uint32_t rounded = bits + 0xfffu + ((bits >> 13) & 1u);
  return static_cast<uint16_t>(sign | ((rounded - ((127u - 15u) << 23)) >> 13));
}

/// bfloat16: the upper half of a float.
float from_bf16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t to_bf16(float x) {
  if (std::isnan(x)) return 0x7fc0;
  const auto bits = std::bit_cast<uint32_t>(x);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/// A float of one byte: sign, exponent, mantissa. The largest number has the code `largest`; `infinity` and
/// `nan` are codes without the sign, `infinity` 0 where there is none. In an unsigned-zero format the code of
/// -0 is the only NaN.
struct ByteFloat {
  int exponent_bits, mantissa_bits, bias;
  uint8_t largest, infinity, nan;
  bool unsigned_zero;

  uint8_t sign_bit() const { return static_cast<uint8_t>(1 << (exponent_bits + mantissa_bits)); }
};

std::optional<ByteFloat> byte_float(DataType dtype) {
  switch (dtype) {
    case DataType::kF8E4M3FN:
      return ByteFloat{4, 3, 7, 0x7e, 0, 0x7f, false};
    case DataType::kF8E4M3FNUZ:
      return ByteFloat{4, 3, 8, 0x7f, 0, 0x80, true};
    case DataType::kF8E5M2:
      return ByteFloat{5, 2, 15, 0x7b, 0x7c, 0x7e, false};
    case DataType::kF8E5M2FNUZ:
      return ByteFloat{5, 2, 16, 0x7f, 0, 0x80, true};
    case DataType::kF4E2M1:
      return ByteFloat{2, 1, 1, 0x7, 0, 0, false};
    default:
      return std::nullopt;
  }
}

/// The number of a code without sign that is neither infinite nor NaN.
float magnitude_of(const ByteFloat& format, uint8_t code) {
  const int mantissa = code & ((1 << format.mantissa_bits) - 1), exponent = code >> format.mantissa_bits;
  const int implied = exponent == 0 ? 0 : 1 << format.mantissa_bits;
  return std::ldexp(static_cast<float>(mantissa + implied),
                    std::max(exponent, 1) - format.bias - format.mantissa_bits);
}

float from_byte_float(const ByteFloat& format, uint8_t code) {
  const auto sign = format.sign_bit();
  if (format.unsigned_zero && code == sign) return std::nanf("");
  const auto magnitude = static_cast<uint8_t>(code & (sign - 1));
  const bool negative = (code & sign) != 0;
  float x = 0;
  if (magnitude > format.largest)
    x = format.infinity != 0 && magnitude == format.infinity ? HUGE_VALF : std::nanf("");
  else
    x = magnitude_of(format, magnitude);
  return negative ? -x : x;
}

uint8_t to_byte_float(const ByteFloat& format, float x, bool saturate) {
  const auto sign = static_cast<uint8_t>(std::signbit(x) ? format.sign_bit() : 0);
  const auto signed_code = [&](uint8_t code) {
    return static_cast<uint8_t>(format.unsigned_zero && (code == 0 || code == format.nan) ? code
                                                                                          : code | sign);
  };
  if (std::isnan(x)) return format.nan == 0 ? format.sign_bit() : signed_code(format.nan);
  const float magnitude = std::abs(x);
  int exponent = 0;
  if (std::isfinite(magnitude)) std::frexp(magnitude, &exponent);  // magnitude < 2^exponent
  const int lowest = 1 - format.bias;                              // of a number with an implied bit
  const int step = std::max(exponent - 1, lowest) - format.mantissa_bits;
  const float rounded =
      std::isfinite(magnitude) ? std::ldexp(std::nearbyint(std::ldexp(magnitude, -step)), step) : magnitude;
  if (rounded > magnitude_of(format, format.largest)) {
    const bool clips = saturate || format.nan == 0;
    return signed_code(clips ? format.largest : format.infinity != 0 ? format.infinity : format.nan);
  }
  if (rounded == 0) return signed_code(0);
  std::frexp(rounded, &exponent);
  const int field = std::max(exponent - 1 - lowest + 1, 0);  // 0: subnormal
  const auto units =
      static_cast<int>(std::ldexp(rounded, -(std::max(exponent - 1, lowest) - format.mantissa_bits)));
  const int mantissa = units & ((1 << format.mantissa_bits) - 1);
  return signed_code(static_cast<uint8_t>((field << format.mantissa_bits) | mantissa));
}

/// f8e8m0: a power of two, 2^(code - 127).
float from_power(uint8_t code) {
  return code == 0xff ? std::nanf("") : std::ldexp(1.0f, code - 127);
}

uint8_t to_power(float x, const NarrowRule& rule) {
  constexpr uint8_t kNan = 0xff, kLargest = 0xfe;
  if (std::isnan(x)) return kNan;
  if (!(x >= std::ldexp(1.0f, -127))) return rule.saturate ? 0 : kNan;
  if (std::isinf(x)) return rule.saturate ? kLargest : kNan;
  int exponent = 0;
  const float fraction = std::frexp(x, &exponent);  // x = fraction * 2^exponent, fraction in [0.5, 1)
  int power = exponent - 1;
  using Power = NarrowRule::Power;
  if ((rule.power == Power::kUp && fraction > 0.5f) || (rule.power == Power::kNearest && fraction >= 0.75f))
    ++power;
  if (power > 127) return rule.saturate ? kLargest : kNan;
  return static_cast<uint8_t>(power + 127);
}

/// Integers of fewer than 8 bits: how many bits, and whether there is a sign.
struct SmallInteger {
  int bits;
  bool is_signed;
};

std::optional<SmallInteger> small_integer(DataType dtype) {
  if (dtype == DataType::kU4 || dtype == DataType::kS4) return SmallInteger{4, dtype == DataType::kS4};
  if (dtype == DataType::kU2 || dtype == DataType::kS2) return SmallInteger{2, dtype == DataType::kS2};
  return std::nullopt;
}

bool is_narrow_float(DataType dtype) {
  return dtype == DataType::kF16 || dtype == DataType::kBF16 || dtype == DataType::kF8E8M0 ||
         byte_float(dtype).has_value();
}

template <typename From, typename To, typename Function>
void map(const TensorView& x, const MutableTensorView& y, Function function) {
  const auto* from = static_cast<const From*>(x.data);
  auto* to = static_cast<To*>(y.data);
  for (int64_t i = 0, n = x.size(); i < n; ++i) to[i] = function(from[i]);
}

/// A narrow float as f32.
void widen(const TensorView& x, const MutableTensorView& y) {
  if (x.dtype == DataType::kF16) return map<uint16_t, float>(x, y, from_f16);
  if (x.dtype == DataType::kBF16) return map<uint16_t, float>(x, y, from_bf16);
  std::array<float, 256> table{};
  const auto format = byte_float(x.dtype);
  for (int code = 0; code < 256; ++code)
    table[static_cast<size_t>(code)] = format ? from_byte_float(*format, static_cast<uint8_t>(code))
                                              : from_power(static_cast<uint8_t>(code));
  map<uint8_t, float>(x, y, [&](uint8_t code) { return table[code]; });
}

void narrow(const TensorView& x, const MutableTensorView& y, const NarrowRule& rule) {
  if (y.dtype == DataType::kF16) return map<float, uint16_t>(x, y, to_f16);
  if (y.dtype == DataType::kBF16) return map<float, uint16_t>(x, y, to_bf16);
  if (const auto format = byte_float(y.dtype))
    map<float, uint8_t>(x, y, [&](float value) { return to_byte_float(*format, value, rule.saturate); });
  else
    map<float, uint8_t>(x, y, [&](float value) { return to_power(value, rule); });
}

/// The bits of an integer that fit, as numpy and its extension for small types keep them.
void cut_bits(const SmallInteger& type, Tensor& x) {
  const int free = 8 - type.bits;
  auto* bytes = static_cast<uint8_t*>(x.mutable_bytes());
  for (int64_t i = 0; i < x.size(); ++i) {
    const auto high = static_cast<uint8_t>(bytes[i] << free);
    bytes[i] = type.is_signed ? static_cast<uint8_t>(static_cast<int8_t>(high) >> free)
                              : static_cast<uint8_t>(high >> free);
  }
}

template <typename Body>
void visit_castable(DataType dtype, Body&& body) {
  if (dtype == DataType::kBool)
    body.template operator()<bool>();
  else
    visit_number(dtype, body);
}

void convert_numbers(const TensorView& x, const MutableTensorView& y) {
  visit_castable(x.dtype, [&]<typename From>() {
    visit_castable(y.dtype, [&]<typename To>() {
      map<From, To>(x, y, [](From value) { return convert_element<To>(value); });
    });
  });
}

Tensor empty_like(const TensorView& x, DataType dtype) {
  return {dtype, Shape(x.shape.begin(), x.shape.end())};
}

}  // namespace

void convert_tensor(const TensorView& x, const MutableTensorView& y, const NarrowRule& rule) {
  if (x.size() == 0) return;
  if (x.dtype == y.dtype) {
    std::memcpy(y.data, x.data, byte_count(x.dtype, x.shape));
  } else if (is_narrow_float(x.dtype)) {
    Tensor wide = empty_like(x, DataType::kF32);
    widen(x, wide.mutable_view());
    convert_tensor(wide.view(), y, rule);
  } else if (const auto from = small_integer(x.dtype)) {
    convert_numbers({from->is_signed ? DataType::kS8 : DataType::kU8, x.shape, x.data}, y);
  } else if (is_narrow_float(y.dtype)) {
    Tensor wide = empty_like(x, DataType::kF32);
    convert_numbers(x, wide.mutable_view());
    narrow(wide.view(), y, rule);
  } else if (const auto to = small_integer(y.dtype)) {
    Tensor bytes = empty_like(x, DataType::kS64);
    convert_numbers(x, bytes.mutable_view());
    Tensor cut = empty_like(x, DataType::kS8);
    convert_numbers(bytes.view(), cut.mutable_view());
    cut_bits(*to, cut);
    std::memcpy(y.data, cut.bytes(), static_cast<size_t>(x.size()));
  } else {
    convert_numbers(x, y);
  }
}

Tensor converted(const Tensor& x, DataType dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y(dtype, x.shape());
  convert_tensor(x.view(), y.mutable_view());
  return y;
}

}  // namespace quantize
