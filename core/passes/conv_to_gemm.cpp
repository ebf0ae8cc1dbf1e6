// A convolution whose kernel lies once on its whole image is a matrix product: Flatten, Gemm, Unsqueeze.
#include <algorithm>
#include <numeric>

#include "core/ops/support/window.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

/// True for a Conv with constant weights that has one output position, whose taps are all the input's
/// elements.
bool covers_image(const Graph& graph, const Node& node) {
  if (node.op_type != "Conv" || !node.domain.empty() || node.int_attribute("group", 1) != 1) return false;
  const Tensor* weights = graph.constant(node.input(1));
  const auto& shape = graph.value(node.inputs[0]).shape;
  if (weights == nullptr || weights->dtype() != DataType::kF32 || !shape || shape->size() < 3) return false;
  const Window window = conv_window(node, *shape, weights->shape());
  return std::all_of(window.axes.begin(), window.axes.end(), [](const WindowAxis& axis) {
    return axis.in == axis.kernel && axis.out == 1 && axis.dilation == 1 && axis.pad_begin == 0;
  });
}

Tensor as_matrix(const Tensor& weights) {
  const int64_t rows = weights.shape()[0];
  Tensor matrix(DataType::kF32, {rows, rows == 0 ? 0 : weights.size() / rows});
  std::copy_n(weights.data<float>(), weights.size(), matrix.mutable_data<float>());
  return matrix;
}

/// The three nodes that compute what `conv` does; the product has its name, or that of its output.
std::vector<Node> as_product(Graph& graph, const Node& conv) {
  const std::string name = graph.value(conv.outputs[0]).name;
  const ValueId rows = graph.add_value(name + "_rows"), product = graph.add_value(name + "_product");
  const ValueId weights = graph.add_constant(graph.value(conv.inputs[1]).name + "_matrix",
                                             as_matrix(*graph.constant(conv.inputs[1])));
  Tensor axes(DataType::kS64, {static_cast<int64_t>(graph.value(conv.inputs[0]).shape->size()) - 2});
  std::iota(axes.mutable_data<int64_t>(), axes.mutable_data<int64_t>() + axes.size(), int64_t{2});
  Node flatten, gemm = conv, unsqueeze;
  if (gemm.name.empty()) gemm.name = name;
  flatten.name = gemm.name + "_flatten";
  flatten.op_type = "Flatten";
  flatten.inputs = {conv.inputs[0]};
  flatten.outputs = {rows};
  flatten.attributes["axis"] = int64_t{1};
  gemm.op_type = "Gemm";
  gemm.inputs[0] = rows;
  gemm.inputs[1] = weights;
  gemm.outputs = {product};
  gemm.attributes = {{"transB", int64_t{1}}};
  unsqueeze.name = gemm.name + "_unsqueeze";
  unsqueeze.op_type = "Unsqueeze";
  unsqueeze.inputs = {product, graph.add_constant(name + "_axes", std::move(axes))};
  unsqueeze.outputs = conv.outputs;
  return {std::move(flatten), std::move(gemm), std::move(unsqueeze)};
}

}  // namespace

void conv_to_gemm(Graph& graph) {
  if (graph.opset() < 13) return;  // Unsqueeze has its axes as an input from there on
  const std::vector<bool> result = find_results(graph, GraphIndex(graph));
  std::vector<Node> nodes;
  for (Node& node : graph.nodes)
    if (covers_image(graph, node) && result[static_cast<size_t>(node.outputs[0])])
      std::ranges::move(as_product(graph, node), std::back_inserter(nodes));
    else
      nodes.push_back(std::move(node));
  graph.nodes = std::move(nodes);
}

}  // namespace quantize
