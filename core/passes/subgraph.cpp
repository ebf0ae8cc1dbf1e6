// Parts of a graph that run by themselves.
#include <algorithm>
#include <map>
#include <set>

#include "core/passes/passes.h"

namespace quantize {

namespace {

/// The nodes between two values, in order.
std::set<NodeId> makers_of(const Graph& graph, const GraphIndex& index, ValueId from, ValueId to) {
  std::set<NodeId> makers;
  std::vector<ValueId> open{to};
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    if (id == kNoValue || id == from || graph.value(id).is_constant()) continue;
    if (!makers.insert(index.producer(id)).second) continue;
    const Node& node = graph.nodes[static_cast<size_t>(index.producer(id))];
    open.insert(open.end(), node.inputs.begin(), node.inputs.end());
  }
  return makers;
}

}  // namespace

Tensor evaluate_chain(const Graph& graph, const GraphIndex& index, ValueId from, ValueId to,
                      const Tensor& x) {
  const auto& shape = graph.value(from).shape;
  Shape column(std::max<size_t>(shape ? shape->size() : 1, 1), 1);
  column[0] = x.size();
  Graph chain;
  chain.info.opsets = graph.info.opsets;
  std::map<ValueId, ValueId> copies;
  copies[from] = chain.add_constant(graph.value(from).name, x.reshaped(column));
  for (NodeId n : makers_of(graph, index, from, to)) {
    Node node = graph.nodes[static_cast<size_t>(n)];
    for (ValueId& input : node.inputs) {
      if (input == kNoValue) continue;
      const auto [place, is_new] = copies.try_emplace(input, kNoValue);
      if (is_new)  // a constant: all else is copied already
        place->second = chain.add_constant(graph.value(input).name, graph.value(input).initializer);
      input = place->second;
    }
    const ValueId output = chain.add_value(graph.value(node.outputs[0]).name);
    copies[node.outputs[0]] = output;
    node.outputs = {output};
    chain.nodes.push_back(std::move(node));
  }
  chain.outputs = {copies.at(to)};
  infer_and_fold(chain);
  const Tensor& values = chain.value(chain.outputs[0]).initializer;
  return values.size() == x.size() ? values.reshaped(x.shape()) : values;
}

Graph subgraph(const Graph& graph, const std::vector<ValueId>& inputs, const std::vector<ValueId>& outputs) {
  const GraphIndex index(graph);
  std::vector<bool> reached(graph.values.size(), false), wanted(graph.nodes.size(), false);
  for (ValueId id : inputs) reached[static_cast<size_t>(id)] = true;
  std::vector<ValueId> open = outputs;
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    if (id == kNoValue || reached[static_cast<size_t>(id)]) continue;
    reached[static_cast<size_t>(id)] = true;
    const NodeId producer = index.producer(id);
    if (producer == kNoNode) {
      if (graph.value(id).is_constant()) continue;
      throw Error(ErrorKind::kInternal, "the part of the graph reads '" + graph.value(id).name + "', too");
    }
    wanted[static_cast<size_t>(producer)] = true;
    const Node& node = graph.nodes[static_cast<size_t>(producer)];
    open.insert(open.end(), node.inputs.begin(), node.inputs.end());
  }
  Graph part;
  part.name = graph.name;
  part.info = graph.info;
  part.values = graph.values;
  for (size_t v = 0; v < part.values.size(); ++v)
    if (!reached[v]) part.values[v].initializer = Tensor();
  part.inputs = inputs;
  part.outputs = outputs;
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    if (wanted[n]) part.nodes.push_back(graph.nodes[n]);
  return part;
}

}  // namespace quantize
