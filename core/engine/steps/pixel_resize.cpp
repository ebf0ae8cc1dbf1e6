// Resize and Upsample on pixels.
#include "core/engine/steps/pixel_blend.h"
#include "core/engine/steps/pixel_move.h"
#include "core/engine/steps/pixel_steps.h"
#include "core/ops/resize.h"

namespace quantize {

namespace {

/// Images that keep their channels and take each pixel from others.
bool takes_pixels(const Graph& graph, const Node& node) {
  if (!resizes_codes(resize_options(node, graph.opset_of(node))) || !is_u8_image(graph, node.inputs[0]) ||
      !is_u8_image(graph, node.outputs[0]))
    return false;
  const Shape &x = *graph.value(node.inputs[0]).shape, &y = *graph.value(node.outputs[0]).shape;
  return x[0] == y[0] && x[1] == y[1] && constant_resize_axes(graph, node).has_value();
}

StepFunction compile_resize(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  const std::vector<ResizeAxis> axes = *constant_resize_axes(context.graph, context.node);
  const ResizeOptions options = resize_options(context.node, context.opset);
  if (options.mode == ResizeOptions::Mode::kLinear)
    return blend_pixels(context, resize_taps(options, axes[2]), resize_taps(options, axes[3]));
  return gather_pixels(context, nearest_indices(options, axes[2]), nearest_indices(options, axes[3]));
}

}  // namespace

void add_pixel_resize_steps(std::vector<EngineForm>& forms) {
  forms.push_back(
      {.op_type = "Resize", .domain = "", .compile = compile_resize, .pixels = {.takes = takes_pixels}});
  forms.push_back(
      {.op_type = "Upsample", .domain = "", .compile = compile_resize, .pixels = {.takes = takes_pixels}});
}

}  // namespace quantize
