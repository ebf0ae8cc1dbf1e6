// Builds small graphs in code, and compares what two graphs compute. Read GraphBuilder first.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/engine.h"
#include "core/graph.h"

namespace quantize::test {

/// A float tensor of uniform random numbers in [low, high); the same seed gives the same numbers everywhere.
inline Tensor random_tensor(const Shape& shape, uint32_t seed, float low = -1.0f, float high = 1.0f) {
  Tensor tensor(DataType::kF32, shape);
  std::mt19937 generator(seed);
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.mutable_data<float>()[i] =
        low + (high - low) * static_cast<float>(generator() >> 8) / static_cast<float>(1 << 24);
  return tensor;
}

/// A one-dimensional int64 tensor: the shape, axes or pads operand of a node.
inline Tensor int_tensor(const std::vector<int64_t>& values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

/// Builds a graph from the inputs down; every call returns the id of the value it made.
///
///   GraphBuilder b;
///   const ValueId x = b.input("x", {1, 3, 8, 8});
///   const ValueId w = b.random("w", {4, 3, 3, 3});
///   const ValueId y = b.node("Conv", {x, w}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
///   const Graph graph = b.build({b.node("Relu", {y})});
///
/// Nodes are called like "relu_2" (their index), and their output like the node with "_out" behind it.
class GraphBuilder {
 public:
  explicit GraphBuilder(int64_t opset = 13) {
    graph_.name = "test";
    graph_.info.opsets[""] = opset;
  }

  ValueId input(const std::string& name, Shape shape, DataType dtype = DataType::kF32) {
    const ValueId id = graph_.add_value(name, dtype, std::move(shape));
    graph_.inputs.push_back(id);
    return id;
  }

  ValueId constant(const std::string& name, Tensor tensor) {
    return graph_.add_constant(name, std::move(tensor));
  }

  ValueId ints(const std::string& name, const std::vector<int64_t>& values) {
    return constant(name, int_tensor(values));
  }

  /// A float constant of random numbers that depend on how many constants and values came before.
  ValueId random(const std::string& name, const Shape& shape, float low = -1.0f, float high = 1.0f) {
    return constant(name, random_tensor(shape, static_cast<uint32_t>(graph_.values.size() + 1), low, high));
  }

  /// A node with one output.
  ValueId node(const std::string& op_type, std::vector<ValueId> inputs,
               std::map<std::string, Attribute> attributes = {}) {
    return nodes(op_type, std::move(inputs), 1, std::move(attributes))[0];
  }

  /// A node with `output_count` outputs.
  std::vector<ValueId> nodes(const std::string& op_type, std::vector<ValueId> inputs, size_t output_count,
                             std::map<std::string, Attribute> attributes = {}) {
    Node node;
    node.op_type = op_type;
    node.name = op_type + "_" + std::to_string(graph_.nodes.size());
    std::transform(node.name.begin(), node.name.end(), node.name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    for (size_t i = 0; i < output_count; ++i) node.outputs.push_back(graph_.add_value(node.name + "_out"));
    graph_.nodes.push_back(node);
    return node.outputs;
  }

  /// The graph so far, for what the calls above do not offer.
  Graph& graph() { return graph_; }

  /// The valid graph with these outputs.
  Graph build(std::vector<ValueId> outputs) {
    graph_.outputs = std::move(outputs);
    validate(graph_);
    return graph_;
  }

 private:
  Graph graph_;
};

/// One random float tensor per graph input, of its shape with every unknown extent taken as `unknown`.
inline std::vector<Tensor> random_inputs(const Graph& graph, uint32_t seed = 1, int64_t unknown = 2) {
  std::vector<Tensor> inputs;
  for (ValueId id : graph.inputs) {
    Shape shape = graph.value(id).shape.value();
    std::replace(shape.begin(), shape.end(), kUnknownDim, unknown);
    inputs.push_back(random_tensor(shape, seed++));
  }
  return inputs;
}

/// Runs a graph once with the kernels of this CPU.
inline std::vector<Tensor> run_graph(const Graph& graph, const std::vector<Tensor>& inputs) {
  Engine engine(graph, {});
  return engine.run(inputs);
}

/// The largest difference of two float tensors divided by the range (max - min) of `expected`; infinite if
/// the shapes differ or either holds something that is not finite.
inline double relative_difference(const Tensor& actual, const Tensor& expected) {
  if (actual.dtype() != DataType::kF32 || expected.dtype() != DataType::kF32 ||
      actual.shape() != expected.shape())
    return INFINITY;
  double low = INFINITY, high = -INFINITY, worst = 0;
  for (int64_t i = 0; i < expected.size(); ++i) {
    const double a = actual.data<float>()[i], e = expected.data<float>()[i];
    if (!std::isfinite(a) || !std::isfinite(e)) return INFINITY;
    low = std::min(low, e);
    high = std::max(high, e);
    worst = std::max(worst, std::abs(a - e));
  }
  return worst == 0 ? 0 : worst / std::max(high - low, 1e-30);
}

/// How many nodes of this type the graph has.
inline size_t count_nodes(const Graph& graph, const std::string& op_type) {
  return static_cast<size_t>(std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                           [&](const Node& node) { return node.op_type == op_type; }));
}

}  // namespace quantize::test
