#include "core/quantization/modes/node_writer.h"

#include <algorithm>
#include <numeric>

#include "core/fusion/patterns.h"
#include "core/quantization/modes/pack_bits.h"

namespace quantize {

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

ValueId NodeWriter::reals_of(ValueId id, const StoredWeights& stored) {
  const auto [known, is_new] = reals_.try_emplace({id, stored.axis, stored.dtype, stored.bits()}, kNoValue);
  if (!is_new) return known->second;
  const std::string name = name_of(id);
  return known->second =
             stored.levels ? looked_up(name, stored) : dequantized(name, coded(name, stored), stored);
}

ValueId NodeWriter::coded(const std::string& name, const StoredWeights& stored) {
  raise_opset(stored.opset);
  return stored.width == 0 ? constant(name + "_quantized", retyped(stored.codes, stored.dtype))
                           : unpacked_codes(name, stored.codes, stored.width);
}

ValueId NodeWriter::unpacked_codes(const std::string& name, const Tensor& codes, int64_t bits) {
  const int32_t low = -(1 << (bits - 1));
  std::vector<int8_t> numbers(size_t{1} << bits);
  std::iota(numbers.begin(), numbers.end(), static_cast<int8_t>(low));
  const ValueId table = shared("unpack_codes_" + std::to_string(bits),
                               Tensor::of<int8_t>({static_cast<int64_t>(numbers.size())}, numbers));
  Tensor from_zero(DataType::kU8, codes.shape());
  for (int64_t i = 0; i < codes.size(); ++i)
    from_zero.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(codes.data<int8_t>()[i] - low);
  return step("Gather", {table, places(name, from_zero, bits)});
}

ValueId NodeWriter::dequantized(const std::string& name, ValueId codes, const StoredWeights& stored) {
  const ValueId scale = constant(name + "_scale", stored.scales);
  std::map<std::string, Attribute> attributes;
  if (!stored.scales.shape().empty()) attributes["axis"] = stored.axis;
  if (stored.block != 0) attributes["block_size"] = stored.block;
  return add("DequantizeLinear", {codes, scale}, name + "_dequantized", DataType::kF32, stored.codes.shape(),
             std::move(attributes));
}

ValueId NodeWriter::looked_up(const std::string& name, const StoredWeights& stored) {
  raise_opset(stored.opset);
  const Shape& shape = stored.codes.shape();
  const auto along = [&](int64_t extent) {
    Shape wide(shape.size(), 1);
    wide[static_cast<size_t>(stored.axis)] = extent;
    return wide;
  };
  const ValueId table = constant(name + "_levels", stored.levels.reshaped({stored.levels.size()}));
  ValueId place = places(name, stored.codes, stored.width);
  if (stored.levels.shape()[0] > 1) {
    Tensor starts(DataType::kS32, along(shape[static_cast<size_t>(stored.axis)]));
    for (int64_t c = 0; c < starts.size(); ++c)
      starts.mutable_data<int32_t>()[c] = static_cast<int32_t>(c / stored.group * stored.levels.shape()[1]);
    place = step("Add", {place, constant(name + "_starts", starts)});
  }
  if (!stored.scales) return add("Gather", {table, place}, name + "_looked_up", DataType::kF32, shape);
  const ValueId scale =
      constant(name + "_scale", stored.scales.reshaped(along(std::max<int64_t>(stored.scales.size(), 1))));
  const ValueId levels = step("Gather", {table, place});
  return add("Mul", {levels, scale}, name + "_looked_up", DataType::kF32, shape);
}

ValueId NodeWriter::places(const std::string& name, const Tensor& codes, int64_t bits) {
  return step("Cast", {unpacked(name, codes, bits)}, {{"to", static_cast<int64_t>(DataType::kS32)}});
}

ValueId NodeWriter::unpacked(const std::string& name, const Tensor& codes, int64_t bits) {
  const Shape& shape = codes.shape();
  if (bits == 8) return constant(name + "_packed", codes);
  ValueId result = kNoValue;
  for (const PackedPart& part : pack_bits(codes, bits)) {
    const int64_t slots = 8 / part.bits, bytes = part.bytes.size();
    const std::string suffix = "_" + std::to_string(part.bits);
    std::vector<uint8_t> distances;
    for (int64_t s = 0; s < slots; ++s) distances.push_back(static_cast<uint8_t>(s * part.bits));
    const ValueId packed = constant(name + "_packed" + (part.lowest == 0 ? "" : suffix), part.bytes),
                  shifts = shared("unpack_shifts" + suffix, Tensor::of<uint8_t>({slots, 1}, distances)),
                  mask = shared("unpack_mask" + suffix,
                                Tensor::scalar(static_cast<uint8_t>((1U << part.bits) - 1)));
    const ValueId shifted = step("BitShift", {packed, shifts}, {{"direction", std::string("RIGHT")}});
    ValueId own = step("BitwiseAnd", {shifted, mask});
    own = reshaped(own, slots * bytes, shape);
    if (result != kNoValue) {
      const ValueId distance = shared("unpack_lowest_" + std::to_string(part.lowest),
                                      Tensor::scalar(static_cast<uint8_t>(part.lowest)));
      own = step("BitShift", {own, distance}, {{"direction", std::string("LEFT")}});
      own = step("BitwiseOr", {result, own});
    }
    result = own;
  }
  return result;
}

ValueId NodeWriter::reshaped(ValueId value, int64_t count, const Shape& to) {
  const auto ints = [&](const std::string& name, const Shape& numbers) {
    return shared(name, Tensor::of<int64_t>({static_cast<int64_t>(numbers.size())}, numbers));
  };
  const int64_t wanted = element_count(to);
  if (count != wanted) {  // the last byte has places that no code needs
    const ValueId row = step("Reshape", {value, ints("unpack_row", {-1})});
    value = step("Slice",
                 {row, ints("unpack_begin", {0}), ints("unpack_end_" + std::to_string(wanted), {wanted})});
  }
  return step("Reshape", {value, ints("unpack_shape_" + to_string(to), to)});
}

void NodeWriter::raise_opset(int64_t least) {
  int64_t& opset = result_.info.opsets[""];
  opset = std::max(opset, least);
}

ValueId NodeWriter::shared(const std::string& name, Tensor tensor) {
  const auto [known, is_new] = shared_.try_emplace(name, kNoValue);
  if (is_new) known->second = constant(name, std::move(tensor));
  return known->second;
}

ValueId NodeWriter::step(const std::string& op_type, std::vector<ValueId> inputs,
                         std::map<std::string, Attribute> attributes) {
  return add(op_type, std::move(inputs), "unpacked_" + std::to_string(++steps_), DataType::kUndefined,
             std::nullopt, std::move(attributes));
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
