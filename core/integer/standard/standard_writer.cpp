#include "core/integer/standard/standard_writer.h"

#include "core/error.h"
#include "core/integer/codes.h"

namespace quantize {

namespace {

[[noreturn]] void fail_computed() {
  throw Error(ErrorKind::kUnsupported, "its scales or zero points are computed; give it constant ones");
}

}  // namespace

OperandParams StandardWriter::params(size_t scale, size_t zero_point) const {
  const auto params = constant_params(graph_, node_, scale, zero_point);
  if (!params) fail_computed();
  return *params;
}

ScalarParams StandardWriter::scalar(size_t scale) const {
  if (!has_scalar_params(graph_, node_, scale)) fail_computed();
  return scalar_params(graph_, node_, scale);
}

ValueId StandardWriter::constant(Tensor tensor) {
  return graph_.add_constant(output().name + "/constant", std::move(tensor));
}

ValueId StandardWriter::add(const std::string& op_type, std::vector<ValueId> inputs, DataType dtype,
                            Attributes attributes) {
  const ValueId made = graph_.add_value(output().name + "/" + op_type, dtype);
  Node node;
  node.op_type = op_type;
  node.name = graph_.value(made).name;
  node.inputs = std::move(inputs);
  node.outputs = {made};
  node.attributes = std::move(attributes);
  nodes_.push_back(std::move(node));
  return made;
}

ValueId StandardWriter::cast(ValueId value, DataType dtype) {
  return add("Cast", {value}, dtype, {{"to", static_cast<int64_t>(dtype)}});
}

ValueId StandardWriter::looked_up(ValueId codes, Tensor table) {
  const DataType dtype = table.dtype();
  // A code of s8 below 0 counts from the table's end, where its unsigned byte has its place.
  return add("Gather", {constant(std::move(table)), cast(codes, DataType::kS32)}, dtype);
}

ValueId StandardWriter::centred(size_t i, int32_t zero_point) {
  const ValueId numbers = cast(node_.inputs[i], DataType::kS32);
  if (zero_point == 0) return numbers;
  return add("Sub", {numbers, constant(Tensor::scalar(zero_point))}, DataType::kS32);
}

void StandardWriter::finish(const std::string& op_type, std::vector<ValueId> inputs, Attributes attributes) {
  Node node;
  node.op_type = op_type;
  node.name = node_.name;
  node.doc_string = node_.doc_string;
  node.inputs = std::move(inputs);
  node.outputs = node_.outputs;
  node.attributes = std::move(attributes);
  nodes_.push_back(std::move(node));
}

void StandardWriter::finish_codes(ValueId steps, int32_t zero_point) {
  const DataType dtype = output().dtype;
  const auto [low, high] = code_limits(dtype);
  const auto number = [&](int32_t code) { return constant(Tensor::scalar(static_cast<float>(code))); };
  ValueId rounded = add("Round", {steps}, DataType::kF32);
  if (zero_point != 0) rounded = add("Add", {rounded, number(zero_point)}, DataType::kF32);
  const ValueId inside = add("Clip", {rounded, number(low), number(high)}, DataType::kF32);
  finish("Cast", {inside}, {{"to", static_cast<int64_t>(dtype)}});
}

}  // namespace quantize
