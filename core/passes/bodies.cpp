// Bodies of If, Loop and Scan: types inside of them, and branches whose condition is known.
#include <algorithm>

#include "core/ops/control_flow.h"
#include "core/passes/narrow_doubles.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

void set_type(const Graph& graph, ValueId source, Value& input) {
  if (source == kNoValue) return;
  const Value& value = graph.value(source);
  if (value.dtype != DataType::kUndefined) input.dtype = value.dtype;
  input.shape = value.shape;
}

/// Infers the types inside of a body whose states have the shapes that they begin with, but for the extents that an
/// iteration changes. States are the inputs from `first_input` on and the results from `first_result` on.
void infer_states(Graph& body, size_t states, size_t first_input, size_t first_result) {
  bool changes = true;
  while (changes) {  // each time an extent more is unknown, or a rank
    narrow_doubles(body);
    changes = false;
    for (size_t i = 0; i < states && first_result + i < body.outputs.size(); ++i) {
      Value& input = body.value(body.inputs[first_input + i]);
      const std::optional<Shape> shape =
          either_shape(input.shape, body.value(body.outputs[first_result + i]).shape);
      changes = changes || shape != input.shape;
      input.shape = shape;
    }
  }
}

/// A branch that cannot run is an error only where it is taken: exporters write one for each rank that an input may
/// have. Its results have the types that the file declares.
void infer_branch(Graph& branch) {
  Graph inferred = branch;
  try {
    narrow_doubles(inferred);
  } catch (const Error&) {
    return;
  }
  branch = std::move(inferred);
}

/// Requires: as many inputs as the operator's inference asks for, else the body is left to it.
void infer_body(const Graph& graph, const Node& node, Graph& body) {
  body.info.opsets = graph.info.opsets;
  if (body.inputs.size() < node.captures || node.inputs.size() < node.captures) return;
  const size_t own = node.inputs.size() - node.captures, taken = body.inputs.size() - node.captures;
  for (size_t i = 0; i < node.captures; ++i)
    set_type(graph, node.inputs[own + i], body.value(body.inputs[taken + i]));
  const auto kind = control_flow_of(node);
  if (kind == ControlFlowKind::kIf) return infer_branch(body);
  if (own != taken) return;
  if (kind == ControlFlowKind::kLoop) {
    if (own < 2) return;
    body.value(body.inputs[0]).dtype = DataType::kS64;
    body.value(body.inputs[1]).dtype = DataType::kBool;
    for (size_t i = 2; i < own; ++i) set_type(graph, node.inputs[i], body.value(body.inputs[i]));
    return infer_states(body, own - 2, 2, 1);
  }
  const auto slices = static_cast<size_t>(std::max<int64_t>(node.int_attribute("num_scan_inputs", 0), 0));
  const size_t states = own - std::min(own, slices);
  for (size_t i = 0; i < states; ++i) set_type(graph, node.inputs[i], body.value(body.inputs[i]));
  for (size_t i = states; i < own; ++i)
    if (node.inputs[i] != kNoValue) body.value(body.inputs[i]).dtype = graph.value(node.inputs[i]).dtype;
  infer_states(body, states, 0, 0);
}

/// Puts the nodes of a branch in the place of the node.
class Inliner {
 public:
  Inliner(Graph& graph, const Node& node, const Graph& branch)
      : graph_(graph), node_(node), branch_(branch) {}

  void append_to(std::vector<Node>& nodes) {
    const size_t own = node_.inputs.size() - node_.captures;
    for (size_t i = 0; i < branch_.inputs.size(); ++i) ids_[branch_.inputs[i]] = node_.inputs[own + i];
    take_over_results();
    for (const Node& node : branch_.nodes) {
      Node& copy = nodes.emplace_back(node);
      for (ValueId& id : copy.inputs) id = id_of(id);
      for (ValueId& id : copy.outputs) id = id_of(id);
      if (!copy.name.empty() && !node_.name.empty()) copy.name = node_.name + "/" + copy.name;
    }
    for (size_t i = 0; i < node_.outputs.size(); ++i) {
      if (node_.outputs[i] == kNoValue || id_of(branch_.outputs[i]) == node_.outputs[i]) continue;
      Node& copy = nodes.emplace_back();
      copy.op_type = "Identity";
      copy.inputs = {id_of(branch_.outputs[i])};
      copy.outputs = {node_.outputs[i]};
    }
  }

 private:
  /// A result that a node of the branch computes gets its id in the graph.
  void take_over_results() {
    std::vector<bool> computed(branch_.values.size(), false);
    for (const Node& node : branch_.nodes)
      for (const ValueId id : node.outputs)
        if (id != kNoValue) computed[static_cast<size_t>(id)] = true;
    for (size_t i = 0; i < node_.outputs.size(); ++i)
      if (node_.outputs[i] != kNoValue && computed[static_cast<size_t>(branch_.outputs[i])])
        ids_.try_emplace(branch_.outputs[i], node_.outputs[i]);
  }

  ValueId id_of(ValueId id) {
    if (id == kNoValue) return kNoValue;
    const auto [place, is_new] = ids_.try_emplace(id, kNoValue);
    if (is_new) {
      const Value& value = branch_.value(id);
      place->second = value.is_constant() ? graph_.add_constant(value.name, value.initializer)
                                          : graph_.add_value(value.name, value.dtype, value.shape);
    }
    return place->second;
  }

  Graph& graph_;
  const Node& node_;
  const Graph& branch_;
  std::map<ValueId, ValueId> ids_;  // of the branch, in the graph
};

}  // namespace

void infer_bodies(const Graph& graph, Node& node) {
  node.change_bodies([&](Graph& body) { infer_body(graph, node, body); });
}

bool inline_branches(Graph& graph) {
  std::vector<Node> nodes;
  bool changed = false;
  for (Node& node : graph.nodes) {
    const Tensor* condition =
        control_flow_of(node) == ControlFlowKind::kIf ? graph.constant(node.inputs[0]) : nullptr;
    if (condition == nullptr || condition->dtype() != DataType::kBool || condition->size() != 1) {
      nodes.push_back(std::move(node));
      continue;
    }
    const Graph& branch = node.body(*condition->data<bool>() ? "then_branch" : "else_branch");
    with_context([&] { return describe(graph, node); }, [&] { check_branch(node, branch); });
    Inliner(graph, node, branch).append_to(nodes);
    changed = true;
  }
  graph.nodes = std::move(nodes);
  return changed;
}

}  // namespace quantize
