#include "core/quantization/modes/node_writer.h"

#include <algorithm>

#include "core/fusion/patterns.h"

namespace quantize {

namespace {

/// The same codes under their own type: in memory, types of fewer bits have a byte, too.
Tensor retyped(const Tensor& codes, DataType dtype) {
  Tensor result(dtype, codes.shape());
  std::copy_n(codes.data<int8_t>(), codes.size(), static_cast<int8_t*>(result.mutable_bytes()));
  return result;
}

}  // namespace

void NodeWriter::push(Node node) {
  if (!node.domain.empty()) result_.info.opsets[node.domain] = 1;
  result_.nodes.push_back(std::move(node));
}

ValueId NodeWriter::add(const std::string& op_type, std::vector<ValueId> inputs, const std::string& name,
                        DataType dtype, std::optional<Shape> shape,
                        std::map<std::string, Attribute> attributes) {
  Node node;
  node.op_type = op_type;
  node.inputs = std::move(inputs);
  node.outputs = {result_.add_value(name, dtype, std::move(shape))};
  node.name = name_of(node.outputs[0]);
  node.attributes = std::move(attributes);
  const ValueId output = node.outputs[0];
  push(std::move(node));
  return output;
}

ValueId NodeWriter::constant(const std::string& name, Tensor tensor) {
  return result_.add_constant(name, std::move(tensor));
}

ValueId NodeWriter::row(ValueId id, int64_t columns) {
  const auto values = *row_of(tensor_of(id), columns);
  return constant(name_of(id) + "_row", Tensor::of<float>({columns}, {values.begin(), values.end()}));
}

Node NodeWriter::corrected(Node node, const StoredWeights& stored) {
  if (stored.shift.empty()) return node;
  std::vector<float> bias(stored.shift.begin(), stored.shift.end());
  if (node.input(2) != kNoValue) {
    const auto own = *row_of(tensor_of(node.inputs[2]), static_cast<int64_t>(bias.size()));
    for (size_t c = 0; c < bias.size(); ++c) bias[c] = static_cast<float>(double{own[c]} + stored.shift[c]);
  }
  const std::string name =
      node.input(2) != kNoValue ? name_of(node.inputs[2]) : name_of(node.inputs[1]) + "_bias";
  node.inputs.resize(3, kNoValue);
  node.inputs[2] =
      constant(name + "_corrected", Tensor::of<float>({static_cast<int64_t>(bias.size())}, bias));
  return node;
}

ValueId NodeWriter::dequantized(ValueId id, const StoredWeights& stored) {
  const auto [known, is_new] = dequantized_.try_emplace({id, stored.axis, stored.dtype}, kNoValue);
  if (!is_new) return known->second;
  const std::string name = name_of(id);
  const Shape shape = stored.codes.shape();
  const ValueId codes = constant(name + "_quantized", retyped(stored.codes, stored.dtype));
  const ValueId scale = constant(name + "_scale", stored.scales);
  std::map<std::string, Attribute> attributes = {{"axis", stored.axis}};
  if (stored.block != 0) attributes["block_size"] = stored.block;
  int64_t& opset = result_.info.opsets[""];
  opset = std::max(opset, stored.opset);
  return known->second = add("DequantizeLinear", {codes, scale}, name + "_dequantized", DataType::kF32, shape,
                             std::move(attributes));
}

const NodeWriter::Dynamic& NodeWriter::dynamic(ValueId real) {
  const auto [known, is_new] = dynamic_.try_emplace(real);
  if (!is_new) return known->second;
  const std::string name = name_of(real);
  Node node;
  node.op_type = "DynamicQuantizeLinear";
  node.inputs = {real};
  node.outputs = {result_.add_value(name + "_dynamic", DataType::kU8, shape_of(real)),
                  result_.add_value(name + "_dynamic_scale", DataType::kF32, Shape{}),
                  result_.add_value(name + "_dynamic_zero_point", DataType::kU8, Shape{})};
  node.name = name_of(node.outputs[0]);
  known->second = {node.outputs[0], node.outputs[1], node.outputs[2]};
  push(std::move(node));
  return known->second;
}

}  // namespace quantize
