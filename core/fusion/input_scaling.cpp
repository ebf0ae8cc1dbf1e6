// The scaling of a graph's input before the first layer of weights. Read input_scaling().
#include <cmath>

#include "core/fusion/patterns.h"

namespace quantize {
namespace {

/// A constant with one number, or one per channel, as doubles; nothing for any other operand.
std::optional<std::vector<double>> channel_numbers(const Graph& graph, ValueId id) {
  const Tensor* constant = graph.constant(id);
  if (constant == nullptr || constant->dtype() != DataType::kF32) return std::nullopt;
  if (constant->size() != 1 && constant->size() != 3) return std::nullopt;
  const std::vector<float> numbers = constant->to_vector<float>();
  return std::vector<double>(numbers.begin(), numbers.end());
}

/// y = scale * x + shift, so far.
class Affine {
 public:
  void multiply(const std::vector<double>& by) {
    spread(by.size());
    for (size_t c = 0; c < scaling_.scale.size(); ++c) {
      scaling_.scale[c] *= by[c % by.size()];
      scaling_.shift[c] *= by[c % by.size()];
    }
    changed_ = true;
  }
  void add(const std::vector<double>& numbers, double sign) {
    spread(numbers.size());
    for (size_t c = 0; c < scaling_.scale.size(); ++c)
      scaling_.shift[c] += sign * numbers[c % numbers.size()];
    changed_ = true;
  }
  std::optional<InputScaling> result() const {
    return changed_ ? std::optional<InputScaling>(scaling_) : std::nullopt;
  }

 private:
  void spread(size_t channels) {
    if (channels <= scaling_.scale.size()) return;
    scaling_.scale.resize(channels, scaling_.scale[0]);
    scaling_.shift.resize(channels, scaling_.shift[0]);
  }

  InputScaling scaling_{{1}, {0}};
  bool changed_ = false;
};

std::vector<double> inverse(std::vector<double> numbers) {
  for (double& each : numbers) each = 1 / each;
  return numbers;
}

/// A BatchNormalization with constants as a factor and an addend; false if it has others.
bool apply_normalization(const Graph& graph, const Node& node, Affine& affine) {
  std::vector<std::vector<double>> parts;
  for (size_t i = 1; i < 5; ++i) {
    const auto numbers = channel_numbers(graph, node.input(i));
    if (!numbers) return false;
    parts.push_back(*numbers);
  }
  for (double& variance : parts[3])
    variance = 1 / std::sqrt(variance + static_cast<double>(node.float_attribute("epsilon", 1e-5f)));
  affine.add(parts[2], -1);
  affine.multiply(parts[3]);
  affine.multiply(parts[0]);
  affine.add(parts[1], 1);
  return true;
}

bool apply_scaler(const Node& node, Affine& affine) {
  affine.multiply({static_cast<double>(node.float_attribute("scale", 1))});
  const std::vector<float> bias = node.floats_attribute("bias", {});
  if (!bias.empty()) affine.add(std::vector<double>(bias.begin(), bias.end()), 1);
  return true;
}

/// Adds what the node does to `value`; false if it is none of the nodes that scale.
bool apply(const Graph& graph, const Node& node, ValueId value, Affine& affine) {
  const std::string& type = node.op_type;
  if (type == "Transpose" || type == "Identity" || type == "Cast") return true;
  if (type == "BatchNormalization") return apply_normalization(graph, node, affine);
  if (type == "ImageScaler") return apply_scaler(node, affine);
  if (type != "Sub" && type != "Add" && type != "Mul" && type != "Div") return false;
  const bool first = node.input(0) == value;
  const auto numbers = channel_numbers(graph, node.input(first ? 1 : 0));
  if (!numbers) return false;
  if (type == "Mul") {
    affine.multiply(*numbers);
  } else if (type == "Div") {
    if (!first) return false;
    affine.multiply(inverse(*numbers));
  } else {
    if (type == "Sub" && !first) affine.multiply({-1});
    affine.add(*numbers, type == "Sub" && first ? -1 : 1);
  }
  return true;
}

}  // namespace

std::optional<InputScaling> input_scaling(const Graph& graph) {
  const GraphIndex index(graph);
  Affine affine;
  ValueId value = graph.inputs.empty() ? kNoValue : graph.inputs[0];
  while (value != kNoValue && index.single_use(value)) {
    const Node& node = graph.nodes[static_cast<size_t>(index.uses(value)[0].node)];
    if (!node.domain.empty() || !apply(graph, node, value, affine)) break;
    value = node.output(0);
  }
  return affine.result();
}

std::vector<ValueId> convolution_outputs(const Graph& graph) {
  std::vector<ValueId> outputs;
  for (const Node& node : graph.nodes)
    if (node.domain.empty() && node.op_type == "Conv") outputs.push_back(node.output(0));
  return outputs;
}

}  // namespace quantize
