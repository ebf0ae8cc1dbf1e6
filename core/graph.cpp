// Access to attributes, invariants and topological order.
#include "core/graph.h"

#include <algorithm>
#include <queue>
#include <unordered_set>

#include "core/error.h"

namespace quantize {

namespace {

template <typename T>
T attribute_or(const Node& node, const std::string& key, const T& fallback) {
  const auto found = node.attributes.find(key);
  if (found == node.attributes.end()) return fallback;
  if (const T* value = std::get_if<T>(&found->second)) return *value;
  throw Error(ErrorKind::kInvalidModel, "attribute '" + key + "' has the wrong type");
}

bool in_range(const Graph& graph, ValueId id) {
  return id >= 0 && static_cast<size_t>(id) < graph.values.size();
}

[[noreturn]] void invalid(const std::string& message) {
  throw Error(ErrorKind::kInvalidModel, message);
}

}  // namespace

int64_t Node::int_attribute(const std::string& key, int64_t fallback) const {
  return attribute_or<int64_t>(*this, key, fallback);
}
float Node::float_attribute(const std::string& key, float fallback) const {
  return attribute_or<float>(*this, key, fallback);
}
std::string Node::string_attribute(const std::string& key, const std::string& fallback) const {
  return attribute_or<std::string>(*this, key, fallback);
}
std::vector<int64_t> Node::ints_attribute(const std::string& key,
                                          const std::vector<int64_t>& fallback) const {
  return attribute_or<std::vector<int64_t>>(*this, key, fallback);
}
std::vector<float> Node::floats_attribute(const std::string& key, const std::vector<float>& fallback) const {
  return attribute_or<std::vector<float>>(*this, key, fallback);
}
const Tensor* Node::tensor_attribute(const std::string& key) const {
  const auto found = attributes.find(key);
  if (found == attributes.end()) return nullptr;
  if (const Tensor* tensor = std::get_if<Tensor>(&found->second)) return tensor;
  throw Error(ErrorKind::kInvalidModel, "attribute '" + key + "' has the wrong type");
}

const Graph& Node::body(const std::string& key) const {
  const auto found = attributes.find(key);
  if (found == attributes.end()) invalid("attribute '" + key + "' is missing");
  if (const Body* graph = std::get_if<Body>(&found->second)) return **graph;
  invalid("attribute '" + key + "' has the wrong type");
}

bool Node::has_bodies() const {
  return std::any_of(attributes.begin(), attributes.end(),
                     [](const auto& entry) { return std::holds_alternative<Body>(entry.second); });
}

void Node::change_bodies(const std::function<void(Graph& body)>& change) {
  for (auto& [key, attribute] : attributes) {
    if (!std::holds_alternative<Body>(attribute)) continue;
    const auto changed = std::make_shared<Graph>(*std::get<Body>(attribute));
    change(*changed);
    attribute = Body(changed);
  }
}

int64_t Graph::opset() const {
  const auto found = info.opsets.find("");
  return found == info.opsets.end() ? 0 : found->second;
}

int64_t Graph::opset_of(const Node& node) const {
  const auto found = info.opsets.find(node.domain);
  return found == info.opsets.end() ? 1 : found->second;
}

bool ModelInfo::has_unread_input(const std::string& wanted) const {
  return std::any_of(unread_inputs.begin(), unread_inputs.end(),
                     [&](const UnreadInput& input) { return input.name == wanted; });
}

ValueId Graph::add_value(const std::string& wanted, DataType dtype, std::optional<Shape> shape) {
  std::string unique = wanted;
  for (int suffix = 1; find_value(unique) != kNoValue || info.has_unread_input(unique); ++suffix)
    unique = wanted + "_" + std::to_string(suffix);
  Value value;
  value.name = std::move(unique);
  value.dtype = dtype;
  value.shape = std::move(shape);
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::add_constant(const std::string& wanted, Tensor tensor) {
  const ValueId id = add_value(wanted, tensor.dtype(), tensor.shape());
  value(id).initializer = std::move(tensor);
  return id;
}

ValueId Graph::find_value(const std::string& wanted) const {
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i].name == wanted) return static_cast<ValueId>(i);
  return kNoValue;
}

GraphIndex::GraphIndex(const Graph& graph)
    : producers(graph.values.size(), kNoNode),
      readers(graph.values.size()),
      graph_output(graph.values.size(), false) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    for (ValueId id : node.outputs)
      if (id != kNoValue) producers[static_cast<size_t>(id)] = static_cast<NodeId>(n);
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (node.inputs[i] != kNoValue)
        readers[static_cast<size_t>(node.inputs[i])].push_back({static_cast<NodeId>(n), i});
  }
  for (ValueId id : graph.outputs) graph_output[static_cast<size_t>(id)] = true;
}

void validate(const Graph& graph) {
  std::unordered_set<std::string> names;
  for (const Value& value : graph.values) {
    if (value.name.empty()) invalid("a tensor has no name");
    if (!names.insert(value.name).second) invalid("two tensors are called '" + value.name + "'");
  }
  if (graph.outputs.empty()) invalid("the graph has no outputs");
  std::vector<bool> available(graph.values.size(), false);
  for (size_t i = 0; i < graph.values.size(); ++i) available[i] = graph.values[i].is_constant();
  for (ValueId id : graph.inputs) {
    if (!in_range(graph, id)) invalid("a graph input does not exist");
    if (available[static_cast<size_t>(id)])
      invalid("graph input '" + graph.value(id).name + "' is listed twice or is a constant");
    available[static_cast<size_t>(id)] = true;
  }
  for (const Node& node : graph.nodes) {
    for (ValueId id : node.inputs)
      if (id != kNoValue && (!in_range(graph, id) || !available[static_cast<size_t>(id)]))
        invalid(describe(graph, node) + " reads a tensor that nothing before it computes" +
                (in_range(graph, id) ? ": '" + graph.value(id).name + "'" : ""));
    for (ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      if (!in_range(graph, id)) invalid(describe(graph, node) + " has an output that does not exist");
      if (available[static_cast<size_t>(id)])
        invalid("tensor '" + graph.value(id).name + "' is computed twice, or is also an input or a constant");
      available[static_cast<size_t>(id)] = true;
    }
  }
  for (ValueId id : graph.outputs)
    if (!in_range(graph, id) || !available[static_cast<size_t>(id)])
      invalid("nothing computes the graph output" +
              (in_range(graph, id) ? " '" + graph.value(id).name + "'" : std::string()));
}

void sort_topologically(Graph& graph) {
  const GraphIndex index(graph);
  const size_t count = graph.nodes.size();
  std::vector<size_t> waiting(count, 0);  // inputs that other nodes still have to compute
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t n = 0; n < count; ++n) {
    for (ValueId id : graph.nodes[n].inputs)
      if (id != kNoValue && index.producer(id) != kNoNode) ++waiting[n];
    if (waiting[n] == 0) ready.push(n);
  }
  std::vector<Node> sorted;
  sorted.reserve(count);
  while (!ready.empty()) {
    const size_t n = ready.top();
    ready.pop();
    for (ValueId id : graph.nodes[n].outputs) {
      if (id == kNoValue || index.producer(id) != static_cast<NodeId>(n)) continue;
      for (const auto& use : index.uses(id))
        if (--waiting[static_cast<size_t>(use.node)] == 0) ready.push(static_cast<size_t>(use.node));
    }
    sorted.push_back(graph.nodes[n]);
  }
  if (sorted.size() != count) {
    const auto stuck = std::find_if(waiting.begin(), waiting.end(), [](size_t left) { return left != 0; });
    const Node& node = graph.nodes[static_cast<size_t>(stuck - waiting.begin())];
    invalid("the graph has a cycle through or before " + describe(graph, node));
  }
  graph.nodes = std::move(sorted);
}

void replace_uses(Graph& graph, ValueId from, ValueId to) {
  for (Node& node : graph.nodes) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
  std::replace(graph.outputs.begin(), graph.outputs.end(), from, to);
}

std::string describe(const Graph& graph, const Node& node) {
  std::string name = node.name;
  if (name.empty() && node.output(0) != kNoValue && in_range(graph, node.output(0)))
    name = graph.value(node.output(0)).name;
  const auto opset = graph.info.opsets.find(node.domain);
  std::string text = "node '" + name + "' (" + node.op_type;
  if (!node.domain.empty()) text += ", domain " + node.domain;
  if (opset != graph.info.opsets.end()) text += ", opset " + std::to_string(opset->second);
  return text + ")";
}

}  // namespace quantize
