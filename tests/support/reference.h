// Calls the reference of an operator, which the engine leaves aside where there is a compiled form.
#pragma once

#include <algorithm>

#include "core/graph.h"
#include "core/ops/op.h"
#include "core/passes/passes.h"
#include "kernels/kernel_table.h"

namespace quantize::test {

/// The first output of the only node of a graph, by OpDef::evaluate.
inline Tensor evaluate_reference(Graph graph, const std::vector<Tensor>& inputs) {
  infer_shapes(graph);
  const Node& node = graph.nodes.at(0);
  std::vector<TensorView> views;
  for (ValueId id : node.inputs) {
    if (id == kNoValue) {
      views.emplace_back();
    } else if (const Tensor* constant = graph.constant(id)) {
      views.push_back(constant->view());
    } else {
      const auto position = std::find(graph.inputs.begin(), graph.inputs.end(), id) - graph.inputs.begin();
      views.push_back(inputs.at(static_cast<size_t>(position)).view());
    }
  }
  const Value& value = graph.value(node.outputs[0]);
  Tensor output(value.dtype, value.shape.value());
  const MutableTensorView outputs[] = {output.mutable_view()};
  find_op(graph, node).evaluate({node, graph.opset(), best_kernels(), views, outputs});
  return output;
}

}  // namespace quantize::test
