// Cast and CastLike: conversion of element types. A float outside an integer's range saturates; NaN becomes
// 0.
#include <bit>
#include <cstring>

#include "core/error.h"
#include "core/ops/support/convert.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

template <typename Body>
void visit_castable(DataType dtype, Body&& body) {
  if (dtype == DataType::kBool)
    body.template operator()<bool>();
  else
    visit_number(dtype, body);
}

bool is_half(DataType dtype) {
  return dtype == DataType::kF16 || dtype == DataType::kBF16;
}

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

Tensor widened(const TensorView& x) {
  Tensor result(DataType::kF32, Shape(x.shape.begin(), x.shape.end()));
  const auto* from = static_cast<const uint16_t*>(x.data);
  for (int64_t i = 0; i < x.size(); ++i)
    result.mutable_data<float>()[i] = x.dtype == DataType::kF16 ? from_f16(from[i]) : from_bf16(from[i]);
  return result;
}

void narrow(const Tensor& x, const MutableTensorView& y) {
  auto* to = static_cast<uint16_t*>(y.data);
  for (int64_t i = 0; i < x.size(); ++i)
    to[i] = y.dtype == DataType::kF16 ? to_f16(x.data<float>()[i]) : to_bf16(x.data<float>()[i]);
}

void convert(const TensorView& x, const MutableTensorView& y) {
  const int64_t size = x.size();
  if (x.dtype == y.dtype) {
    std::memcpy(y.data, x.data, byte_count(x.dtype, x.shape));
  } else if (is_half(x.dtype)) {
    convert(widened(x).view(), y);
  } else if (is_half(y.dtype)) {
    Tensor wide(DataType::kF32, Shape(x.shape.begin(), x.shape.end()));
    convert(x, wide.mutable_view());
    narrow(wide, y);
  } else {
    visit_castable(x.dtype, [&]<typename From>() {
      visit_castable(y.dtype, [&]<typename To>() {
        const From* from = x.as<From>();
        To* to = y.as<To>();
        for (int64_t i = 0; i < size; ++i) to[i] = convert_element<To>(from[i]);
      });
    });
  }
}

void infer_to(InferContext& context, DataType dtype) {
  for (const DataType type : {dtype, context.input(0).dtype})
    if (type != DataType::kUndefined && size_of(type) == 0)
      throw Error(ErrorKind::kUnsupported,
                  "conversion of type " + std::string(name_of(type)) + " is not supported");
  context.set_output(0, dtype, context.shape(0));
}

void infer_cast(InferContext& context) {
  const int64_t to = context.node.int_attribute("to", 0);
  const auto dtype = to > 0 && to < 100 ? static_cast<DataType>(to) : DataType::kUndefined;
  if (size_of(dtype) == 0)
    throw Error(ErrorKind::kUnsupported,
                "conversion to element type number " + std::to_string(to) + " is not supported");
  infer_to(context, dtype);
}

void infer_cast_like(InferContext& context) {
  infer_to(context, context.input(1).dtype);
}

void evaluate(const EvaluateContext& context) {
  convert(context.inputs[0], context.outputs[0]);
}

}  // namespace

void add_cast(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Cast",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = 21,
                 .infer = infer_cast,
                 .evaluate = evaluate});
  ops.push_back({.op_type = "CastLike",
                 .domain = "",
                 .min_opset = 15,
                 .max_opset = 21,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer_cast_like,
                 .evaluate = evaluate});
}

}  // namespace quantize
