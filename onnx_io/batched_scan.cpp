#include "onnx_io/batched_scan.h"

#include "core/error.h"

namespace quantize {

void unbatch_scan(const Graph& graph, Node& node) {
  if (node.inputs.size() <= node.captures)
    throw Error(ErrorKind::kInvalidModel, "a Scan without inputs; export the model anew");
  if (node.inputs[0] != kNoValue)
    throw Error(ErrorKind::kUnsupported,
                "a Scan of opset 8 with lengths of sequences is not supported; export the model with opset 9 "
                "or newer");
  node.inputs.erase(node.inputs.begin());
  Graph outer;
  outer.name = graph.name;
  outer.info.opsets = graph.info.opsets;
  Node inner = node;
  for (size_t i = 0; i < inner.inputs.size(); ++i)
    outer.inputs.push_back(inner.inputs[i] = outer.add_value("batch_input_" + std::to_string(i)));
  inner.outputs.clear();
  for (size_t i = 0; i < node.body("body").outputs.size(); ++i)
    outer.outputs.push_back(inner.outputs.emplace_back(outer.add_value("batch_result_" + std::to_string(i))));
  if (const auto directions = inner.attributes.extract("directions"))
    inner.attributes["scan_input_directions"] = directions.mapped();
  outer.nodes.push_back(std::move(inner));
  validate(outer);
  const auto batched = static_cast<int64_t>(node.inputs.size() - node.captures);
  node.attributes = {{"body", std::make_shared<const Graph>(std::move(outer))}, {"num_scan_inputs", batched}};
}

}  // namespace quantize
