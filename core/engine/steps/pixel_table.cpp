// LookupTable on pixels.
#include "core/engine/steps/pixel_steps.h"

namespace quantize {

namespace {

bool takes_pixels(const Graph& graph, const Node& node) {
  return is_u8_image(graph, node.inputs[0]) && is_u8_image(graph, node.outputs[0]);
}

StepFunction compile_table(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  const Storage x = context.storage_of(context.node.inputs[0]),
                y = context.storage_of(context.node.outputs[0]);
  const size_t chunks =
      context.cut(kFineChunks, static_cast<double>(y.rows() * y.width * y.channels) / 16, y.rows());
  context.chunks = chunks;
  return [x, y, chunks](const StepContext& run) {
    const UnitRange rows = units_of(run, y.rows(), chunks);
    auto* y_data = static_cast<uint8_t*>(run.outputs[0].data);
    look_up_rows(run.kernels, {static_cast<const uint8_t*>(run.inputs[0].data), x}, {y_data, y},
                 static_cast<const uint8_t*>(run.inputs[1].data), rows);
    fill_border(y, y_data, rows.begin, rows.end);
  };
}

}  // namespace

void add_pixel_table_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "LookupTable",
                   .domain = kEngineDomain,
                   .compile = compile_table,
                   .pixels = {.takes = takes_pixels, .follows = true}});
}

}  // namespace quantize
