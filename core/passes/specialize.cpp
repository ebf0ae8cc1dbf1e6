// A graph for one set of input shapes.
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

void require_static(const Graph& graph) {
  for (const Node& node : graph.nodes)
    for (ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      const Value& value = graph.value(id);
      if (!value.shape || !is_static(*value.shape))
        throw Error(ErrorKind::kUnsupported,
                    "the shape of '" + value.name +
                        "' depends on data, which is not supported; export the model "
                        "with fixed shapes")
            .add_context(describe(graph, node));
    }
}

}  // namespace

Graph specialize(const Graph& graph, const std::vector<Shape>& input_shapes, const std::vector<bool>& keep) {
  Graph result = graph;
  if (input_shapes.size() != graph.inputs.size())
    throw Error(ErrorKind::kInvalidArgument, "the model takes " + std::to_string(graph.inputs.size()) +
                                                 " inputs, not " + std::to_string(input_shapes.size()));
  for (size_t i = 0; i < input_shapes.size(); ++i) fix_input(result.value(graph.inputs[i]), input_shapes[i]);
  infer_and_fold(result);
  remove_dead_nodes(result, keep);
  require_static(result);
  return result;
}

}  // namespace quantize
