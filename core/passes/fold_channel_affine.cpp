// Folds y = a * x + b with constants per channel (BatchNormalization, Add, Sub, Mul, Div) into the weights
// and the bias of the Conv, ConvTranspose or Gemm that computes x. A chain of them is folded at once:
// arithmetic in double, the result rounded once. Read fold_channel_affine, at the end, first.
#include <algorithm>
#include <cmath>

#include "core/ops/op.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

using Numbers = std::vector<double>;  // one per channel

struct Affine {
  Numbers scale, shift;
};

const Tensor* float_constant(const Graph& graph, ValueId id) {
  const Tensor* tensor = graph.constant(id);
  return tensor != nullptr && tensor->dtype() == DataType::kF32 ? tensor : nullptr;
}

/// How the weights of a node that can take an affine of its output's axis 1 are laid out; nothing for other
/// nodes.
std::optional<WeightLayout> layout_of(const Graph& graph, const Node& node) {
  const bool takes_affine =
      node.domain.empty() &&
      (node.op_type == "Conv" || node.op_type == "ConvTranspose" || node.op_type == "Gemm");
  const Tensor* weights = float_constant(graph, node.input(1));
  if (!takes_affine || weights == nullptr || weights->size() == 0) return std::nullopt;
  if (node.outputs.size() != 1 || node.outputs[0] == kNoValue) return std::nullopt;
  return find_op(graph, node).weight_layout(node, weights->shape());
}

/// A constant operand of an output of this rank as one number per channel (axis 1); nothing if it varies
/// along another axis.
std::optional<Numbers> per_channel(const Tensor* tensor, int64_t channels, size_t rank) {
  if (tensor == nullptr || tensor->shape().size() > rank) return std::nullopt;
  Shape shape(rank - tensor->shape().size(), 1);
  shape.insert(shape.end(), tensor->shape().begin(), tensor->shape().end());
  for (size_t i = 0; i < rank; ++i)
    if (shape[i] != 1 && (i != 1 || shape[i] != channels)) return std::nullopt;
  Numbers numbers = tensor->to_vector<double>();
  if (numbers.size() == 1) numbers.assign(static_cast<size_t>(channels), numbers[0]);
  return numbers;
}

std::optional<Affine> batch_normalization(const Graph& graph, const Node& node, int64_t channels) {
  Numbers operands[4];  // scale, bias, mean, variance
  for (size_t i = 0; i < 4; ++i) {
    const Tensor* tensor = float_constant(graph, node.input(i + 1));
    if (tensor == nullptr || tensor->size() != channels) return std::nullopt;
    operands[i] = tensor->to_vector<double>();
  }
  if (node.int_attribute("training_mode", 0) != 0) return std::nullopt;
  const double epsilon = static_cast<double>(node.float_attribute("epsilon", 1e-5f));
  Affine affine;
  for (size_t c = 0; c < operands[0].size(); ++c) {
    const double scale = operands[0][c] / std::sqrt(operands[3][c] + epsilon);
    affine.scale.push_back(scale);
    affine.shift.push_back(operands[1][c] - operands[2][c] * scale);
  }
  return affine;
}

/// x op operand, or operand op x.
std::optional<Affine> arithmetic(const std::string& op, bool x_first, const Numbers& operand) {
  const Numbers zeros(operand.size(), 0), ones(operand.size(), 1), minus_ones(operand.size(), -1);
  const auto each = [&](double (*function)(double)) {
    Numbers result;
    std::transform(operand.begin(), operand.end(), std::back_inserter(result), function);
    return result;
  };
  if (op == "Mul") return Affine{operand, zeros};
  if (op == "Add") return Affine{ones, operand};
  if (op == "Sub" && !x_first) return Affine{minus_ones, operand};
  if (op == "Sub") return Affine{ones, each([](double value) { return -value; })};
  if (op == "Div" && x_first) return Affine{each([](double value) { return 1 / value; }), zeros};
  return std::nullopt;
}

/// The affine per channel that `node` applies to x; nothing if it is none.
std::optional<Affine> affine_of(const Graph& graph, const Node& node, ValueId x, int64_t channels,
                                size_t rank) {
  if (!node.domain.empty()) return std::nullopt;
  const bool x_first = node.input(0) == x;
  if (node.op_type == "BatchNormalization")
    return x_first ? batch_normalization(graph, node, channels) : std::nullopt;
  if (node.inputs.size() != 2) return std::nullopt;
  const auto operand = per_channel(float_constant(graph, node.inputs[x_first ? 1 : 0]), channels, rank);
  return operand ? arithmetic(node.op_type, x_first, *operand) : std::nullopt;
}

/// The bias that the node adds so far; nothing if it is computed, or varies along another axis than channels.
std::optional<Numbers> bias_of(const Graph& graph, const Node& node, int64_t channels) {
  if (node.input(2) == kNoValue) return Numbers(static_cast<size_t>(channels), 0);
  const Tensor* tensor = float_constant(graph, node.inputs[2]);
  if (tensor == nullptr) return std::nullopt;
  if (node.op_type != "Gemm") return tensor->to_vector<double>();
  auto bias = per_channel(tensor, channels, 2);
  const double beta = static_cast<double>(node.float_attribute("beta", 1));
  if (bias)
    for (double& value : *bias) value *= beta;
  return bias;
}

/// Makes `tensor` the constant input i of a node: in place if no other node reads the constant of before.
void set_operand(Graph& graph, const GraphIndex& index, Node& node, size_t i, Tensor tensor) {
  if (node.inputs.size() <= i) node.inputs.resize(i + 1, kNoValue);
  ValueId& id = node.inputs[i];
  if (id != kNoValue && index.single_use(id)) {
    graph.value(id).shape = tensor.shape();
    graph.value(id).initializer = std::move(tensor);
  } else {
    id = graph.add_constant(
        graph.value(id != kNoValue ? id : node.outputs[0]).name + (id != kNoValue ? "" : "_bias"),
        std::move(tensor));
  }
}

bool all_finite(const Tensor& tensor) {
  const float* data = tensor.data<float>();
  return std::all_of(data, data + tensor.size(), [](float value) { return std::isfinite(value); });
}

/// Puts the affine into weights and bias; false, with nothing changed, if the results are no finite floats.
bool fold(Graph& graph, const GraphIndex& index, Node& node, const WeightLayout& layout, const Numbers& bias,
          const Affine& affine) {
  const Tensor& weights = graph.value(node.inputs[1]).initializer;
  Tensor scaled(DataType::kF32, weights.shape()), shifted(DataType::kF32, {layout.output_channels()});
  const float* from = weights.data<float>();
  float* to = scaled.mutable_data<float>();
  for (int64_t o = 0; o < layout.output_channels(); ++o)
    for (int64_t i = 0; i < layout.inputs; ++i)
      for (int64_t t = layout.offset(o, i); t < layout.offset(o, i) + layout.taps; ++t)
        to[t] = static_cast<float>(static_cast<double>(from[t]) * affine.scale[static_cast<size_t>(o)]);
  for (size_t c = 0; c < bias.size(); ++c)
    shifted.mutable_data<float>()[c] = static_cast<float>(bias[c] * affine.scale[c] + affine.shift[c]);
  if (!all_finite(scaled) || !all_finite(shifted)) return false;
  set_operand(graph, index, node, 1, std::move(scaled));
  set_operand(graph, index, node, 2, std::move(shifted));
  node.attributes.erase("beta");
  return true;
}

/// The node that alone reads `id`, if only its first output is used; otherwise kNoNode.
NodeId only_reader(const Graph& graph, const GraphIndex& index, ValueId id) {
  if (!index.single_use(id)) return kNoNode;
  const NodeId reader = index.uses(id)[0].node;
  const auto& outputs = graph.nodes[static_cast<size_t>(reader)].outputs;
  const auto unused = [&](ValueId out) {
    return out == kNoValue || (index.uses(out).empty() && !index.is_output(out));
  };
  const bool plain =
      !outputs.empty() && outputs[0] != kNoValue && std::all_of(outputs.begin() + 1, outputs.end(), unused);
  return plain ? reader : kNoNode;
}

/// Folds the chain of affines behind `node`, and takes the absorbed nodes' outputs from them.
void fold_chain(Graph& graph, const GraphIndex& index, Node& node) {
  const auto layout = layout_of(graph, node);
  if (!layout) return;
  const int64_t channels = layout->output_channels();
  const auto bias = bias_of(graph, node, channels);
  if (!bias || static_cast<int64_t>(bias->size()) != channels) return;
  const size_t rank = graph.value(node.inputs[1]).initializer.shape().size();  // of weights and output
  Affine total{Numbers(bias->size(), 1), Numbers(bias->size(), 0)};
  std::vector<NodeId> absorbed;
  ValueId last = node.outputs[0];
  for (NodeId n = only_reader(graph, index, last); n != kNoNode; n = only_reader(graph, index, last)) {
    const Node& reader = graph.nodes[static_cast<size_t>(n)];
    const auto next = affine_of(graph, reader, last, channels, rank);
    if (!next) break;
    for (size_t c = 0; c < bias->size(); ++c) {
      total.scale[c] *= next->scale[c];
      total.shift[c] = total.shift[c] * next->scale[c] + next->shift[c];
    }
    absorbed.push_back(n);
    last = reader.outputs[0];
  }
  if (absorbed.empty() || !fold(graph, index, node, *layout, *bias, total)) return;
  node.outputs[0] = last;
  for (NodeId n : absorbed) graph.nodes[static_cast<size_t>(n)].outputs.clear();
}

}  // namespace

void fold_channel_affine(Graph& graph) {
  const GraphIndex index(graph);
  for (Node& node : graph.nodes) fold_chain(graph, index, node);
  std::erase_if(graph.nodes, [](const Node& node) { return node.outputs.empty(); });
}

}  // namespace quantize
