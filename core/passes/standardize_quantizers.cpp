// QuantizeLinear and DequantizeLinear of ONNX Runtime's own domain, from before ONNX had their forms.
#include "core/passes/passes.h"

namespace quantize {

void standardize_quantizers(Graph& graph) {
  constexpr int64_t kScalesPerAxis = 13;
  if (graph.opset() < kScalesPerAxis) return;
  for (Node& node : graph.nodes)
    if (node.domain == "com.microsoft" &&
        (node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear"))
      node.domain.clear();
}

}  // namespace quantize
