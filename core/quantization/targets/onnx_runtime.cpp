#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

bool resizes_by_nearest(const Graph&, const Node& resize) {
  return resize.string_attribute("mode", "nearest") == "nearest";
}

bool pads_axes(const Graph&, const Node& pad) {
  return pad.input(3) != kNoValue;
}

bool resizes_axes_or_cubic(const Graph&, const Node& resize) {
  return resize.has_attribute("axes") || resize.string_attribute("mode", "nearest") == "cubic";
}

}  // namespace quantize
