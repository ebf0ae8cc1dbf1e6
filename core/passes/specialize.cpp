// A graph for one set of input shapes.
#include <algorithm>

#include "core/passes/passes.h"

namespace quantize {

namespace {

void fix_input(Value& input, const Shape& shape) {
  bool fits = is_static(shape) && (!input.shape || input.shape->size() == shape.size());
  for (size_t i = 0; fits && input.shape && i < shape.size(); ++i)
    fits = (*input.shape)[i] == kUnknownDim || (*input.shape)[i] == shape[i];
  if (!fits)
    throw Error(ErrorKind::kInvalidArgument, "input '" + input.name + "' takes " +
                                                 (input.shape ? to_string(*input.shape) : "any shape") +
                                                 ", not " + to_string(shape));
  input.shape = shape;
}

/// The first value that a node computes and whose shape is not static, or that bodies compute; kNoValue: none.
ValueId first_open(const Graph& graph, const Node& node) {
  if (node.has_bodies()) return node.outputs[0];
  for (ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    const auto& shape = graph.value(id).shape;
    if (!shape || !is_static(*shape)) return id;
  }
  return kNoValue;
}

}  // namespace

bool has_static_shapes(const Graph& graph) {
  return std::all_of(graph.nodes.begin(), graph.nodes.end(),
                     [&](const Node& node) { return first_open(graph, node) == kNoValue; });
}

Graph specialize_known(const Graph& graph, const std::vector<Shape>& input_shapes,
                       const std::vector<bool>& keep) {
  Graph result = graph;
  if (input_shapes.size() != graph.inputs.size())
    throw Error(ErrorKind::kInvalidArgument, "the model takes " + std::to_string(graph.inputs.size()) +
                                                 " inputs, not " + std::to_string(input_shapes.size()));
  for (size_t i = 0; i < input_shapes.size(); ++i) fix_input(result.value(graph.inputs[i]), input_shapes[i]);
  infer_and_fold(result);
  remove_dead_nodes(result, keep);
  return result;
}

Graph specialize(const Graph& graph, const std::vector<Shape>& input_shapes, const std::vector<bool>& keep) {
  Graph result = specialize_known(graph, input_shapes, keep);
  for (const Node& node : result.nodes)
    if (const ValueId id = first_open(result, node); id != kNoValue)
      throw Error(ErrorKind::kUnsupported,
                  "the shape of '" + result.value(id).name +
                      "' depends on data, which is not supported here; export the model "
                      "with fixed shapes")
          .add_context(describe(result, node));
  return result;
}

}  // namespace quantize
