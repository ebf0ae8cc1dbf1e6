// Operators that go code by code: sums and products of two, tables of one.
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/integer/codes.h"
#include "core/integer/integer_formulas.h"
#include "core/integer/standard/standard_writer.h"
#include "core/ops/op_registry.h"

namespace quantize {

namespace {

constexpr int64_t kCodes = 256;

/// A number for every byte that a code of `dtype` can be.
template <typename T, typename Function>
Tensor table_of(DataType dtype, DataType result, Function function) {
  Tensor table(result, {kCodes});
  const auto [low, high] = code_limits(dtype);
  for (int32_t code = low; code <= high; ++code)
    reinterpret_cast<T*>(table.mutable_bytes())[static_cast<uint8_t>(code)] = function(code);
  return table;
}

/// The operand's codes in the scale of the result.
ValueId requantized_operand(StandardWriter& writer, size_t codes, const ScalarParams& y) {
  const ScalarParams x = writer.scalar(codes + 1);
  const DataType from = writer.input(codes).dtype, to = writer.output().dtype;
  if (from == to && x.scale == y.scale && x.zero_point == y.zero_point) return writer.node().inputs[codes];
  return writer.looked_up(writer.node().inputs[codes], table_of<uint8_t>(from, to, [&](int32_t code) {
                            return static_cast<uint8_t>(requantized(code, x, y, to));
                          }));
}

/// a * ratio + inner in f64, rounded to f32, is what fmaf gives: tried for all pairs of codes.
void require_exact_sums(const AddU8& form, DataType a, DataType b) {
  const CodeLimits of_a = code_limits(a), of_b = code_limits(b);
  for (int32_t q = of_b.low; q <= of_b.high; ++q) {
    const float inner = std::fmaf(static_cast<float>(q), form.b_ratio, form.offset);
    for (int32_t p = of_a.low; p <= of_a.high; ++p)
      if (static_cast<float>(double(p) * double(form.a_ratio) + double(inner)) !=
          std::fmaf(static_cast<float>(p), form.a_ratio, inner))
        throw Error(ErrorKind::kUnsupported,
                    "f64 does not hold its sums exactly; leave it in float with --exclude");
  }
}

}  // namespace

void spell_add(StandardWriter& writer) {
  const AddU8 form = add_form(writer.scalar(1), writer.scalar(4), writer.scalar(6));
  const DataType a = writer.input(0).dtype, b = writer.input(3).dtype;
  require_exact_sums(form, a, b);
  const ValueId inner =
      writer.looked_up(writer.node().inputs[3], table_of<float>(b, DataType::kF32, [&](int32_t code) {
                         return std::fmaf(static_cast<float>(code), form.b_ratio, form.offset);
                       }));
  const ValueId ratio = writer.constant(Tensor::scalar(double{form.a_ratio}));
  const ValueId outer =
      writer.add("Mul", {writer.cast(writer.node().inputs[0], DataType::kF64), ratio}, DataType::kF64);
  const ValueId sum = writer.add("Add", {outer, writer.cast(inner, DataType::kF64)}, DataType::kF64);
  writer.finish_codes(writer.cast(sum, DataType::kF32), 0);
}

void spell_mul(StandardWriter& writer) {
  const MulU8 form = mul_form(writer.scalar(1), writer.scalar(4), writer.scalar(6));
  const ValueId product = writer.add(
      "Mul", {writer.centred(0, form.a_zero_point), writer.centred(3, form.b_zero_point)}, DataType::kS32);
  const ValueId steps = writer.add(
      "Mul", {writer.cast(product, DataType::kF32), writer.constant(Tensor::scalar(form.multiplier))},
      DataType::kF32);
  const ValueId shifted = writer.add(
      "Add", {steps, writer.constant(Tensor::scalar(static_cast<float>(form.zero_point)))}, DataType::kF32);
  writer.finish_codes(shifted, 0);
}

void spell_concat(StandardWriter& writer) {
  const ScalarParams y = writer.scalar(0);
  std::vector<ValueId> pieces;
  for (size_t i = 2; i < writer.node().inputs.size(); i += 3)
    pieces.push_back(requantized_operand(writer, i, y));
  writer.finish("Concat", std::move(pieces), {{"axis", writer.node().int_attribute("axis", 0)}});
}

void spell_where(StandardWriter& writer) {
  const ScalarParams z = writer.scalar(7);
  const ValueId x = requantized_operand(writer, 1, z), y = requantized_operand(writer, 4, z);
  writer.finish("Where", {writer.node().inputs[0], x, y});
}

void spell_function(StandardWriter& writer) {
  const Node& node = writer.node();
  const DataType from = writer.input(0).dtype, to = writer.output().dtype;
  Tensor codes(from, {kCodes}), table(to, {kCodes});
  std::iota(static_cast<uint8_t*>(codes.mutable_bytes()),
            static_cast<uint8_t*>(codes.mutable_bytes()) + kCodes, uint8_t{0});
  std::vector<TensorView> inputs{codes.view()};
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    const Tensor* constant = writer.constant_input(i);
    inputs.push_back(constant == nullptr ? TensorView{} : constant->view());
  }
  writer.scalar(1);  // constants alone may stand behind the codes
  const MutableTensorView view = table.mutable_view();
  evaluate_reference(writer.definition(), node, writer.opset(), inputs, {&view, 1});
  const ValueId indices = writer.cast(node.inputs[0], DataType::kS32);
  writer.finish("Gather", {writer.constant(std::move(table)), indices});
}

}  // namespace quantize
