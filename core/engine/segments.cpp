// Read Segments::inputs_of_rest first.
#include "core/engine/segments.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

enum class Part { kFirst, kCut, kRest };

bool is_known(const Graph& graph, ValueId id) {
  return id == kNoValue || (graph.value(id).shape && is_static(*graph.value(id).shape));
}

/// Where each node belongs.
std::vector<Part> parts_of(const Graph& graph) {
  std::vector<bool> computed(graph.values.size(), false);
  const auto is_there = [&](ValueId id) {
    return id == kNoValue || graph.value(id).is_constant() || computed[static_cast<size_t>(id)];
  };
  for (const ValueId id : graph.inputs) computed[static_cast<size_t>(id)] = true;
  std::vector<Part> parts;
  for (const Node& node : graph.nodes) {
    Part part = Part::kRest;
    if (std::all_of(node.inputs.begin(), node.inputs.end(), is_there)) {
      const bool known = !node.has_bodies() && std::all_of(node.outputs.begin(), node.outputs.end(),
                                                           [&](ValueId id) { return is_known(graph, id); });
      part = known ? Part::kFirst : Part::kCut;
    }
    parts.push_back(part);
    for (const ValueId id : node.outputs)
      if (part == Part::kFirst && id != kNoValue) computed[static_cast<size_t>(id)] = true;
  }
  return parts;
}

/// The nodes of one part, with those inputs and outputs; constants that none of them reads are gone.
Graph part_of(const Graph& graph, const std::vector<Part>& parts, Part part, std::vector<ValueId> inputs,
              std::vector<ValueId> outputs) {
  Graph result;
  result.name = graph.name;
  result.info = graph.info;
  result.values = graph.values;
  result.inputs = std::move(inputs);
  result.outputs = std::move(outputs);
  std::vector<bool> read(graph.values.size(), false);
  for (const ValueId id : result.outputs) read[static_cast<size_t>(id)] = true;
  for (size_t n = 0; n < parts.size(); ++n) {
    if (parts[n] != part) continue;
    result.nodes.push_back(graph.nodes[n]);
    for (const ValueId id : graph.nodes[n].inputs)
      if (id != kNoValue) read[static_cast<size_t>(id)] = true;
  }
  for (size_t v = 0; v < read.size(); ++v)
    if (!read[v]) result.values[v].initializer = Tensor();
  return result;
}

/// Computes a node whose inputs are known.
std::vector<Tensor> evaluate_node(const Graph& graph, const Node& node, const std::vector<Tensor>& inputs) {
  Graph single;
  single.info.opsets = graph.info.opsets;
  Node copy = node;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (node.inputs[i] != kNoValue)
      copy.inputs[i] = single.add_constant(graph.value(node.inputs[i]).name, inputs[i]);
  for (ValueId& id : copy.outputs)
    if (id != kNoValue) id = single.add_value(graph.value(id).name);
  for (const ValueId id : copy.outputs)
    if (id != kNoValue) single.outputs.push_back(id);
  single.nodes = {copy};
  infer_and_fold(single);
  std::vector<Tensor> results;
  for (const ValueId id : copy.outputs) {
    results.push_back(id == kNoValue ? Tensor() : single.value(id).initializer);
    if (id != kNoValue && !results.back())
      throw Error(
          ErrorKind::kUnsupported,
          "the shape of '" + single.value(id).name +
              "' does not follow from its inputs, or is too large; export the model with fixed shapes")
          .add_context(describe(graph, node));
  }
  return results;
}

}  // namespace

Segments::Segments(Graph graph, const CompileOptions& options) : graph_(std::move(graph)) {
  const std::vector<Part> parts = parts_of(graph_);
  std::vector<bool> made_first(graph_.values.size(), false), made_by_cut = made_first, wanted = made_first;
  for (size_t n = 0; n < parts.size(); ++n) {
    const Node& node = graph_.nodes[n];
    if (parts[n] == Part::kCut) cut_.push_back(static_cast<NodeId>(n));
    if (parts[n] == Part::kCut && node.has_bodies())
      with_context([&] { return describe(graph_, node); },
                   [&] { bodies_.try_emplace(static_cast<NodeId>(n), graph_, node, options); });
    for (const ValueId id : node.outputs)
      if (id != kNoValue && parts[n] != Part::kRest)
        (parts[n] == Part::kFirst ? made_first : made_by_cut)[static_cast<size_t>(id)] = true;
    for (const ValueId id : node.inputs)
      if (id != kNoValue && parts[n] != Part::kFirst) wanted[static_cast<size_t>(id)] = true;
  }
  if (cut_.empty()) throw Error(ErrorKind::kInternal, "a graph of known shapes was to be cut");
  std::vector<bool> read_by_rest(graph_.values.size(), false);
  for (size_t n = 0; n < parts.size(); ++n)
    for (const ValueId id : graph_.nodes[n].inputs)
      if (id != kNoValue && parts[n] == Part::kRest) read_by_rest[static_cast<size_t>(id)] = true;
  for (const ValueId id : graph_.outputs)
    wanted[static_cast<size_t>(id)] = read_by_rest[static_cast<size_t>(id)] = true;
  std::vector<bool> is_input(graph_.values.size(), false);
  for (const ValueId id : graph_.inputs) is_input[static_cast<size_t>(id)] = true;

  std::vector<ValueId> passed, rest_inputs;
  CompileOptions rest_options = options;
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const auto id = static_cast<ValueId>(v);
    if (made_first[v] && wanted[v]) passed.push_back(id);
    if (!read_by_rest[v] || !(made_first[v] || made_by_cut[v] || is_input[v])) continue;
    rest_inputs.push_back(id);
    // An observer saw it in the first part.
    if (!made_by_cut[v] && v < rest_options.keep.size()) rest_options.keep[v] = false;
  }
  if (!passed.empty())
    first_ = std::make_unique<Engine>(part_of(graph_, parts, Part::kFirst, graph_.inputs, passed), options);
  rest_ = std::make_unique<Engine>(part_of(graph_, parts, Part::kRest, rest_inputs, graph_.outputs),
                                   rest_options);
  Graph cut = part_of(graph_, parts, Part::kCut, graph_.inputs, {});
  for (size_t v = 0; v < graph_.values.size(); ++v) graph_.values[v].initializer = cut.values[v].initializer;
}

/// The results of the first part and of the nodes behind it, as far as the rest takes them.
std::vector<Tensor> Segments::inputs_of_rest(const std::vector<Tensor>& inputs, ExecutionObserver* observer,
                                             std::vector<StepTime>* times) {
  std::vector<Tensor> values(graph_.values.size());
  for (size_t i = 0; i < inputs.size(); ++i) values[static_cast<size_t>(graph_.inputs[i])] = inputs[i];
  for (size_t v = 0; v < values.size(); ++v)
    if (graph_.values[v].is_constant()) values[v] = graph_.values[v].initializer;
  if (first_) {
    const std::vector<Tensor> results = first_->run(inputs, observer, times);
    for (size_t i = 0; i < results.size(); ++i)
      values[static_cast<size_t>(first_->graph().outputs[i])] = results[i];
  }
  for (const NodeId n : cut_) {
    const Node& node = graph_.nodes[static_cast<size_t>(n)];
    std::vector<Tensor> operands;
    for (const ValueId id : node.inputs)
      operands.push_back(id == kNoValue ? Tensor() : values[static_cast<size_t>(id)]);
    const auto start = std::chrono::steady_clock::now();
    const std::vector<Tensor> results = run_cut(n, operands);
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    if (times != nullptr)
      times->push_back(
          {nullptr, nullptr, &graph_, &node, node.inputs, node.outputs, results[0].shape(), taken.count()});
    for (size_t i = 0; i < results.size(); ++i)
      if (node.outputs[i] != kNoValue) values[static_cast<size_t>(node.outputs[i])] = results[i];
  }
  std::vector<Tensor> taken;
  for (const ValueId id : rest_->graph().inputs) taken.push_back(values[static_cast<size_t>(id)]);
  return taken;
}

/// The results of a node of the second part.
std::vector<Tensor> Segments::run_cut(NodeId n, const std::vector<Tensor>& operands) {
  const Node& node = graph_.nodes[static_cast<size_t>(n)];
  const auto bodies = bodies_.find(n);
  if (bodies == bodies_.end()) return evaluate_node(graph_, node, operands);
  return with_context([&] { return describe(graph_, node); }, [&] { return bodies->second.run(operands); });
}

std::vector<Tensor> Segments::run(const std::vector<Tensor>& inputs, ExecutionObserver* observer,
                                  std::vector<StepTime>* times) {
  return rest_->run(inputs_of_rest(inputs, observer, times), observer, times);
}

uint64_t Segments::hash(const std::vector<Tensor>& inputs) {
  constexpr uint64_t kPrime = 0x100000001b3;
  const uint64_t first = first_ ? first_->hash(inputs) : 0;
  return (first * kPrime) ^ rest_->hash(inputs_of_rest(inputs, nullptr, nullptr));
}

}  // namespace quantize
