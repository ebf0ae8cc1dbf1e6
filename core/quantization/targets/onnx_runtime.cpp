#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

bool resizes_by_nearest(const Graph&, const Node& resize) {
  return resize.string_attribute("mode", "nearest") == "nearest";
}

bool onnx_runtime_mislays(const Graph&, const Node& node) {
  if (!node.domain.empty()) return false;
  if (node.op_type == "Pad") return node.input(3) != kNoValue;
  if (node.op_type != "Resize") return false;
  return node.has_attribute("axes") || node.string_attribute("mode", "nearest") == "cubic";
}

}  // namespace quantize
