// Products of codes: s32 sums, then the formula of kernels/requantize.h.
#include <algorithm>

#include "core/error.h"
#include "core/integer/codes.h"
#include "core/integer/standard/standard_writer.h"

namespace quantize {

namespace {

enum : size_t { kA = 0, kB = 3, kYScale = 6, kBias = 8 };  // of QLinearConv and QLinearMatMul
enum : size_t { kGemmC = 6, kGemmYScale = 7 };             // of QGemm, which begins alike
enum : size_t { kRealA, kRealB, kRealAScale, kRealBScale, kRealAZero, kRealBZero, kRealBias };

/// The zero point of B, input i, as ConvInteger and MatMulInteger take it: none for 0, one for all where it is the same.
ValueId zero_point_of(StandardWriter& writer, size_t i) {
  const Tensor* given = writer.node().input(i) == kNoValue ? nullptr : writer.constant_input(i);
  if (given == nullptr) return kNoValue;
  const auto points = given->to_vector<int64_t>();
  if (!std::all_of(points.begin(), points.end(), [&](int64_t point) { return point == points[0]; }))
    return writer.node().inputs[i];
  if (points[0] == 0) return kNoValue;
  return given->dtype() == DataType::kU8 ? writer.constant(Tensor::scalar(static_cast<uint8_t>(points[0])))
                                         : writer.constant(Tensor::scalar(static_cast<int8_t>(points[0])));
}

/// The s32 sums of ConvInteger or MatMulInteger.
ValueId sums(StandardWriter& writer, const std::string& op_type, std::vector<ValueId> inputs,
             StandardWriter::Attributes attributes = {}) {
  while (inputs.back() == kNoValue) inputs.pop_back();
  return writer.add(op_type, std::move(inputs), DataType::kS32, std::move(attributes));
}

/// One number per scale of B, as a tensor of `shape` if there are several.
template <typename Formula>
ValueId per_channel(StandardWriter& writer, const OperandParams& b, Shape shape, Formula formula) {
  std::vector<float> numbers;
  for (const float scale : b.scale) numbers.push_back(formula(scale));
  if (b.per_tensor()) shape.clear();
  return writer.constant(Tensor::of<float>(shape, numbers));
}

ValueId scaled(StandardWriter& writer, ValueId sums, ValueId multipliers) {
  return writer.add("Mul", {writer.cast(sums, DataType::kF32), multipliers}, DataType::kF32);
}

}  // namespace

void spell_conv(StandardWriter& writer) {
  const Node& node = writer.node();
  const ScalarParams x = writer.scalar(kA + 1), y = writer.scalar(kYScale);
  const OperandParams w = writer.params(kB + 1);
  Shape per_output(writer.input(kB).shape->size() - 1, 1);
  per_output[0] = writer.input(kB).shape->front();
  ValueId sum = sums(writer, "ConvInteger",
                     {node.inputs[kA], node.inputs[kB], node.inputs[kA + 2], zero_point_of(writer, kB + 2)},
                     node.attributes);
  if (node.input(kBias) != kNoValue) {
    const Tensor* bias = writer.constant_input(kBias);
    if (bias == nullptr) throw Error(ErrorKind::kUnsupported, "its bias is computed; give it a constant one");
    sum = writer.add("Add", {sum, writer.constant(bias->reshaped(per_output))}, DataType::kS32);
  }
  const ValueId multipliers =
      per_channel(writer, w, per_output, [&](float scale) { return (x.scale * scale) / y.scale; });
  writer.finish_codes(scaled(writer, sum, multipliers), y.zero_point);
}

void spell_matmul(StandardWriter& writer) {
  const Node& node = writer.node();
  const ScalarParams a = writer.scalar(kA + 1), y = writer.scalar(kYScale);
  const OperandParams b = writer.params(kB + 1);
  const ValueId sum =
      sums(writer, "MatMulInteger",
           {node.inputs[kA], node.inputs[kB], node.inputs[kA + 2], zero_point_of(writer, kB + 2)});
  const auto columns = static_cast<int64_t>(b.scale.size());
  const ValueId multipliers =
      per_channel(writer, b, {columns}, [&](float scale) { return (a.scale * scale) / y.scale; });
  writer.finish_codes(scaled(writer, sum, multipliers), y.zero_point);
}

void spell_gemm(StandardWriter& writer) {
  const Node& node = writer.node();
  const ScalarParams a = writer.scalar(kA + 1);
  const OperandParams b = writer.params(kB + 1);
  const auto matrix = [&](size_t i, const char* attribute) {
    if (node.int_attribute(attribute, 0) == 0) return node.inputs[i];
    return writer.add("Transpose", {node.inputs[i]}, writer.input(i).dtype,
                      {{"perm", std::vector<int64_t>{1, 0}}});
  };
  ValueId sum =
      sums(writer, "MatMulInteger",
           {matrix(kA, "transA"), matrix(kB, "transB"), node.inputs[kA + 2], zero_point_of(writer, kB + 2)});
  if (node.input(kGemmC) != kNoValue) sum = writer.add("Add", {sum, node.inputs[kGemmC]}, DataType::kS32);
  const float alpha = node.float_attribute("alpha", 1);
  const Shape columns{static_cast<int64_t>(b.scale.size())};
  if (node.input(kGemmYScale) == kNoValue) {
    const ValueId steps =
        per_channel(writer, b, columns, [&](float scale) { return alpha * (a.scale * scale); });
    return writer.finish("Mul", {writer.cast(sum, DataType::kF32), steps});
  }
  const ScalarParams y = writer.scalar(kGemmYScale);
  const ValueId multipliers =
      per_channel(writer, b, columns, [&](float scale) { return alpha * (a.scale * scale) / y.scale; });
  writer.finish_codes(scaled(writer, sum, multipliers), y.zero_point);
}

void spell_real_matmul(StandardWriter& writer) {
  const Node& node = writer.node();
  const OperandParams a = writer.params(kRealAScale, kRealAZero), b = writer.params(kRealBScale, kRealBZero);
  const ValueId sum = sums(
      writer, "MatMulInteger",
      {node.inputs[kRealA], node.inputs[kRealB], node.input(kRealAZero), zero_point_of(writer, kRealBZero)});
  const ValueId steps = per_channel(writer, b, {static_cast<int64_t>(b.scale.size())},
                                    [&](float scale) { return a.scale[0] * scale; });
  if (node.input(kRealBias) == kNoValue)
    return writer.finish("Mul", {writer.cast(sum, DataType::kF32), steps});
  writer.finish("Add", {scaled(writer, sum, steps), node.inputs[kRealBias]});
}

}  // namespace quantize
