// Read change_graph first.
#include "tests/fuzz/choices.h"

#include <cmath>
#include <cstring>
#include <string_view>

#include "core/ops/op_registry.h"
#include "tests/fuzz/attribute_names.h"
#include "tests/support/graph_builder.h"

namespace quantize::test {

namespace {

/// Words that some operator knows, or none does.
constexpr std::string_view kWords[] = {"",
                                       "x",
                                       "constant",
                                       "reflect",
                                       "edge",
                                       "wrap",
                                       "linear",
                                       "nearest",
                                       "cubic",
                                       "bilinear",
                                       "bicubic",
                                       "zeros",
                                       "border",
                                       "reflection",
                                       "avg",
                                       "max",
                                       "add",
                                       "mul",
                                       "min",
                                       "sum",
                                       "mean",
                                       "none",
                                       "DCR",
                                       "CRD",
                                       "SAME_UPPER",
                                       "SAME_LOWER",
                                       "VALID",
                                       "NOTSET",
                                       "forward",
                                       "reverse",
                                       "bidirectional",
                                       "Relu",
                                       "Tanh",
                                       "Sigmoid",
                                       "Clip",
                                       "LeakyRelu",
                                       "HardSigmoid",
                                       "tanh",
                                       "ij,jk->ik",
                                       "ii->i",
                                       "...i->...",
                                       "ij->ji",
                                       "->",
                                       ",->",
                                       "half_pixel",
                                       "align_corners",
                                       "asymmetric",
                                       "pytorch_half_pixel",
                                       "tf_crop_and_resize",
                                       "half_pixel_symmetric",
                                       "floor",
                                       "ceil",
                                       "round_prefer_ceil",
                                       "stretch",
                                       "not_larger",
                                       "not_smaller",
                                       "LEFT",
                                       "RIGHT",
                                       "output_half_pixel",
                                       "gated",
                                       "delta"};

std::string draw_word(Choices& choices) {
  return std::string(choices.of<std::string_view>(kWords));
}

template <typename T, typename Draw>
void change_list(std::vector<T>& list, Choices& choices, Draw draw) {
  if (choices.below(4) == 0) list.resize(choices.below(6), T{});
  if (!list.empty()) list[choices.below(list.size())] = draw(choices);
}

void change_attribute(Attribute& attribute, Choices& choices) {
  if (auto* number = std::get_if<int64_t>(&attribute)) *number = draw_int(choices);
  if (auto* number = std::get_if<float>(&attribute)) *number = draw_float(choices);
  if (auto* numbers = std::get_if<std::vector<int64_t>>(&attribute)) change_list(*numbers, choices, draw_int);
  if (auto* numbers = std::get_if<std::vector<float>>(&attribute)) change_list(*numbers, choices, draw_float);
  if (auto* words = std::get_if<std::vector<std::string>>(&attribute))
    change_list(*words, choices, draw_word);
  if (auto* tensor = std::get_if<Tensor>(&attribute)) *tensor = changed(*tensor, choices);
  if (auto* word = std::get_if<std::string>(&attribute)) {
    if (word->empty() || choices.below(2) == 0)
      *word = draw_word(choices);
    else
      (*word)[choices.below(word->size())] = "ijk,.->Z \xff"[choices.below(11)];
  }
  if (auto* body = std::get_if<Body>(&attribute)) {
    Graph copy = **body;
    change_graph(copy, choices);
    *body = std::make_shared<const Graph>(std::move(copy));
  }
}

/// An attribute of this kind, before it is changed.
Attribute plain_attribute(AttributeKind kind) {
  switch (kind) {
    case AttributeKind::kInt:
      return int64_t{1};
    case AttributeKind::kFloat:
      return 1.0f;
    case AttributeKind::kString:
      return std::string("x");
    case AttributeKind::kInts:
      return std::vector<int64_t>{1, 1};
    case AttributeKind::kFloats:
      return std::vector<float>{1, 1};
    case AttributeKind::kStrings:
      return std::vector<std::string>{"Tanh"};
    default:
      return Tensor::scalar(1.0f);
  }
}

void change_node(Graph& graph, Choices& choices) {
  if (graph.nodes.empty() || graph.values.empty()) return;
  Node& node = graph.nodes[choices.below(graph.nodes.size())];
  const auto any_value = [&] { return static_cast<ValueId>(choices.below(graph.values.size())); };
  switch (choices.below(6)) {
    case 0:
      if (!node.inputs.empty()) node.inputs[choices.below(node.inputs.size())] = any_value();
      break;
    case 1:
      node.op_type = graph.nodes[choices.below(graph.nodes.size())].op_type;
      break;
    case 2: {
      const OpDef& def = all_ops()[choices.below(256) * all_ops().size() / 256];
      if (std::string_view(def.domain) == kEngineDomain) break;
      node.op_type = def.op_type;
      node.domain = def.domain;
      graph.info.opsets.emplace(node.domain, 1);
      break;
    }
    case 3:
      if (choices.below(2) == 0)
        node.inputs.insert(node.inputs.end() - static_cast<ptrdiff_t>(node.captures), any_value());
      else if (node.inputs.size() > node.captures)
        node.inputs.erase(node.inputs.end() - static_cast<ptrdiff_t>(node.captures) - 1);
      break;
    case 4:
      if (choices.below(2) == 0)
        node.outputs.push_back(graph.add_value("another"));
      else if (node.outputs.size() > 1)
        node.outputs.pop_back();
      break;
    default:
      change_attributes(node, choices);
  }
}

}  // namespace

int64_t draw_int(Choices& choices) {
  static constexpr int64_t kInts[] = {0,
                                      1,
                                      -1,
                                      2,
                                      -2,
                                      3,
                                      4,
                                      5,
                                      7,
                                      8,
                                      13,
                                      16,
                                      100,
                                      1 << 20,
                                      INT32_MAX,
                                      INT32_MIN,
                                      int64_t{1} << 40,
                                      INT64_MAX,
                                      INT64_MIN};
  return choices.of<int64_t>(kInts);
}

float draw_float(Choices& choices) {
  static constexpr float kFloats[] = {0,      1,      -1,    0.5f, -0.25f,   6,         -0.0f, 1e-30f,
                                      1e-42f, -1e30f, 1e38f, 3e9f, INFINITY, -INFINITY, NAN};
  return choices.of<float>(kFloats);
}

Shape draw_shape(Choices& choices) {
  Shape shape(choices.below(5));
  for (int64_t& extent : shape) extent = static_cast<int64_t>(choices.below(6));
  return shape;
}

DataType draw_type(Choices& choices) {
  static constexpr DataType kTypes[] = {
      DataType::kF32,  DataType::kS64, DataType::kS32,  DataType::kU8,      DataType::kS8,  DataType::kF64,
      DataType::kBool, DataType::kF16, DataType::kBF16, DataType::kS16,     DataType::kU16, DataType::kU32,
      DataType::kU64,  DataType::kU4,  DataType::kS4,   DataType::kF8E4M3FN};
  return choices.of<DataType>(kTypes);
}

Tensor changed(const Tensor& tensor, Choices& choices) {
  if (tensor.dtype() == DataType::kF32 && choices.below(3) == 0)
    return random_tensor(draw_shape(choices), static_cast<uint32_t>(choices.below(9)));
  Tensor copy(tensor.dtype(), tensor.shape());
  if (tensor.size() == 0) return copy;
  std::memcpy(copy.mutable_bytes(), tensor.bytes(), tensor.byte_size());
  const auto at = choices.below(static_cast<size_t>(tensor.size()));
  if (tensor.dtype() == DataType::kF32) copy.mutable_data<float>()[at] = draw_float(choices);
  if (tensor.dtype() == DataType::kF64)
    copy.mutable_data<double>()[at] = static_cast<double>(draw_float(choices));
  if (tensor.dtype() == DataType::kS64) copy.mutable_data<int64_t>()[at] = draw_int(choices);
  if (tensor.dtype() == DataType::kS32)
    copy.mutable_data<int32_t>()[at] = static_cast<int32_t>(draw_int(choices));
  if (tensor.dtype() == DataType::kU8)
    copy.mutable_data<uint8_t>()[at] = static_cast<uint8_t>(draw_int(choices));
  if (tensor.dtype() == DataType::kS8)
    copy.mutable_data<int8_t>()[at] = static_cast<int8_t>(draw_int(choices));
  return copy;
}

void change_attributes(Node& node, Choices& choices) {
  auto attribute = node.attributes.end();
  if (node.attributes.empty() || choices.below(3) == 0) {
    const AttributeName& name = choices.of<AttributeName>(kAttributeNames);
    const AttributeKind kind =
        choices.below(8) == 0 ? static_cast<AttributeKind>(choices.below(7)) : name.kind;
    attribute = node.attributes.insert_or_assign(name.name, plain_attribute(kind)).first;
  } else {
    attribute =
        std::next(node.attributes.begin(), static_cast<ptrdiff_t>(choices.below(node.attributes.size())));
    if (choices.below(8) == 0) {
      node.attributes.erase(attribute);
      return;
    }
  }
  change_attribute(attribute->second, choices);
}

void change_graph(Graph& graph, Choices& choices) {
  if (graph.values.empty()) return;
  Value& value = graph.values[choices.below(graph.values.size())];
  switch (choices.below(6)) {
    case 0:
      if (value.is_constant()) {
        value.initializer = changed(value.initializer, choices);
        value.shape = value.initializer.shape();
      }
      break;
    case 1:
      if (!graph.inputs.empty()) graph.value(graph.inputs[0]).shape = draw_shape(choices);
      break;
    case 2:
      graph.outputs.push_back(static_cast<ValueId>(choices.below(graph.values.size())));
      break;
    default:
      change_node(graph, choices);
  }
}

}  // namespace quantize::test
