// Operators: a small valid node of one, with operands, attributes and outputs changed as the bytes say, is prepared and run.
#include <algorithm>
#include <cstring>

#include "calibration/statistics/budget.h"
#include "core/error.h"
#include "core/ops/op_registry.h"
#include "core/passes/passes.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/operator_examples.h"
#include "tests/support/graph_builder.h"

namespace quantize::test {

namespace {

constexpr uint64_t kMostBytes = 16 << 20, kMostMacs = 3'000'000;
constexpr int64_t kMostElements = 4096;

/// The same bytes, as far as there are, in another type or shape.
Tensor in_type(const Tensor& tensor, DataType dtype, const Shape& shape) {
  Tensor copy = small_numbers(dtype, shape);
  const size_t bytes = std::min(copy.byte_size(), tensor.byte_size());
  if (bytes != 0 && dtype == tensor.dtype()) std::memcpy(copy.mutable_bytes(), tensor.bytes(), bytes);
  return copy;
}

/// Declares another shape; the tensor follows it if it is small.
void change_shape(Operand& operand, Choices& choices) {
  Shape shape = operand.tensor.shape();
  switch (choices.below(4)) {
    case 0:
      shape.push_back(static_cast<int64_t>(choices.below(4)));
      break;
    case 1:
      if (!shape.empty()) shape.pop_back();
      break;
    default:
      if (!shape.empty()) shape[choices.below(shape.size())] = draw_int(choices);
  }
  operand.shape = shape;
  int64_t elements = 1;
  for (const int64_t extent : shape)
    elements = extent < 0 || extent > kMostElements ? kMostElements + 1
                                                    : std::min(elements * extent, kMostElements + 1);
  if (elements <= kMostElements) operand.tensor = in_type(operand.tensor, operand.tensor.dtype(), shape);
}

void change_operand(Operand& operand, Choices& choices) {
  if (!operand.tensor) operand = {small_numbers(draw_type(choices), draw_shape(choices)), false, {}};
  switch (choices.below(6)) {
    case 0:
      operand.tensor = in_type(operand.tensor, draw_type(choices), operand.tensor.shape());
      break;
    case 1:
      change_shape(operand, choices);
      break;
    case 2:
      operand.is_constant = !operand.is_constant;
      break;
    case 3:
      operand = {};
      break;
    case 4:
      operand.shape.reset();
      break;
    default:
      operand.tensor = changed(operand.tensor, choices);
      operand.shape = operand.tensor.shape();
  }
}

void change_operands(std::vector<Operand>& operands, Choices& choices) {
  const size_t which = choices.below(operands.size() + 2);
  if (which < operands.size()) return change_operand(operands[which], choices);
  if (which == operands.size())
    operands.push_back({small_numbers(draw_type(choices), draw_shape(choices)), choices.below(2) == 0, {}});
  else if (!operands.empty())
    operands.pop_back();
}

/// Bodies as a file reader leaves them.
void validate_bodies(const Node& node) {
  for (const auto& [name, attribute] : node.attributes)
    if (const Body* body = std::get_if<Body>(&attribute)) {
      validate(**body);
      for (const Node& inner : (*body)->nodes) validate_bodies(inner);
    }
}

}  // namespace

void fuzz_operators(std::span<const uint8_t> bytes) {
  Choices choices(bytes);
  const OpDef& def = all_ops()[choices.below(256) * all_ops().size() / 256];
  if (std::string_view(def.domain) == kEngineDomain) return;
  const std::vector<int> opsets = opsets_to_try(def);
  const int opset = choices.of<int>(opsets);
  const std::vector<OperatorExample> examples = operator_examples(def, opset);
  const OperatorExample& example = choices.of<OperatorExample>(examples);
  std::vector<Operand> operands = operands_of(example);
  const size_t changes = choices.below(4);
  for (size_t i = 0; i < changes; ++i) change_operands(operands, choices);
  Graph graph = graph_of(def, opset, example, operands);
  while (!choices.empty()) {
    Node& node = graph.nodes[0];
    if (choices.below(4) == 0)
      graph.outputs.push_back(node.outputs.emplace_back(graph.add_value("another")));
    else
      change_attributes(node, choices);
  }
  validate_bodies(graph.nodes[0]);
  std::vector<Tensor> inputs;
  for (const Operand& operand : operands)
    if (operand.tensor && !operand.is_constant) inputs.push_back(operand.tensor);
  validate(graph);
  const Graph opened = open_model(graph, kMinOutputOpset);
  if (needed_bytes(opened, 1) > kMostBytes || macs_of(opened) > kMostMacs) return;
  run_graph(opened, inputs);
}

}  // namespace quantize::test
