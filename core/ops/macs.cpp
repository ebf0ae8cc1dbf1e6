#include "core/ops/macs.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "core/ops/op.h"
#include "core/ops/support/convert.h"
#include "core/ops/weight_layout.h"

namespace quantize {

namespace {

Shape known_shape(const Graph& graph, ValueId id) {
  Shape shape = id == kNoValue ? Shape{} : graph.value(id).shape.value_or(Shape{});
  std::replace(shape.begin(), shape.end(), kUnknownDim, int64_t{1});
  return shape;
}

double elements(const Shape& shape) {
  return static_cast<double>(element_count(shape));
}

/// Each row of the weights of input and state, once for every step, sample and direction.
double recurrent_macs(const Graph& graph, const Node& node) {
  const Shape x = known_shape(graph, node.inputs[0]);
  if (x.size() != 3) return 0;
  const auto steps = static_cast<double>(x[0]) * static_cast<double>(x[1]);
  return steps * (elements(known_shape(graph, node.input(1))) + elements(known_shape(graph, node.input(2))));
}

/// The product of the extents of all letters. (Where there are dots, as if all that they stand for were in the output.)
double einsum_macs(const Graph& graph, const Node& node) {
  const std::string equation = node.string_attribute("equation", "");
  std::map<char, int64_t> extents;
  size_t input = 0, axis = 0;
  for (size_t i = 0; i < equation.find('-') && i < equation.size(); ++i) {
    const char letter = equation[i];
    if (letter == ',') {
      ++input;
      axis = 0;
    } else if (letter == '.') {
      return input == 0 ? elements(known_shape(graph, node.outputs[0])) : 0;
    } else if (letter != ' ') {
      const Shape shape = known_shape(graph, node.input(input));
      if (axis < shape.size()) extents[letter] = std::max(extents[letter], shape[axis++]);
    }
  }
  double product = input == 0 ? 0 : 1;  // one operand is only moved or summed
  for (const auto& [letter, extent] : extents) product *= static_cast<double>(extent);
  return product;
}

/// Scores, and sums of values: every query by every key, and every score by every value.
double attention_macs(const Graph& graph, const Node& node) {
  const Shape q = known_shape(graph, node.inputs[0]), k = known_shape(graph, node.input(1)),
              y = known_shape(graph, node.outputs[0]);
  if (k.size() < 3) return 0;
  return static_cast<double>(k[k.size() - 2]) * (elements(q) + elements(y));
}

/// As a Conv of the same weights.
double conv_macs(const Graph& graph, const Node& node) {
  const Shape w = known_shape(graph, node.input(1));
  return w.empty() || w[0] == 0
             ? 0
             : elements(known_shape(graph, node.outputs[0])) * elements(w) / static_cast<double>(w[0]);
}

struct Multiplications {
  std::string_view op_type;
  double (*count)(const Graph& graph, const Node& node);
};

/// Operators that multiply, but have no weights of a layout.
constexpr Multiplications kMultiplications[] = {
    {"Attention", attention_macs}, {"DeformConv", conv_macs}, {"Einsum", einsum_macs},
    {"GRU", recurrent_macs},       {"LSTM", recurrent_macs},  {"RNN", recurrent_macs},
};

}  // namespace

uint64_t macs_of(const Graph& graph, const Node& node) {
  const OpDef& def = find_op(graph, node);
  if (def.weight_layout == nullptr) {
    if (!node.domain.empty()) return 0;
    for (const Multiplications& entry : kMultiplications)
      if (node.op_type == entry.op_type) return convert_element<uint64_t>(entry.count(graph, node));
    return 0;
  }
  const auto layout = def.weight_layout(node, known_shape(graph, node.input(def.weight_input)));
  if (!layout) return 0;
  const double outputs = elements(known_shape(graph, node.output(0))),
               products = static_cast<double>(layout->inputs) * static_cast<double>(layout->taps);
  return convert_element<uint64_t>(outputs * products * layout->uses);
}

}  // namespace quantize
