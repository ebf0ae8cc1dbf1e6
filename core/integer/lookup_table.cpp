// LookupTable: y = table[x], code by code. The engine makes it of chains of elementwise operators.
#include "core/engine/steps/pixel_steps.h"
#include "core/ops/support/element_types.h"

namespace quantize {

namespace {

constexpr std::array kCodes{DataType::kU8, DataType::kS8};

void infer(InferContext& context) {
  require_type(context, 0, kCodes);
  require_type(context, 1, kCodes);
  context.set_output(0, context.input(1).dtype, context.shape(0));
}

void evaluate(const EvaluateContext& context) {
  const auto size = static_cast<size_t>(context.outputs[0].size());
  context.kernels.table_u8({static_cast<const uint8_t*>(context.inputs[0].data),
                            static_cast<uint8_t*>(context.outputs[0].data), 1, size, size, size,
                            static_cast<const uint8_t*>(context.inputs[1].data)});
}

bool takes_pixels(const Graph& graph, const Node& node) {
  return is_u8_image(graph, node.inputs[0]) && is_u8_image(graph, node.outputs[0]);
}

StepFunction compile(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  const Storage x = context.storage_of(context.node.inputs[0]),
                y = context.storage_of(context.node.outputs[0]);
  const size_t chunks = chunk_count(static_cast<double>(y.rows() * y.width * y.channels) / 16, y.rows());
  context.chunks = chunks;
  return [x, y, chunks](const EvaluateContext& run) {
    const RowRange rows = rows_of(run, y.rows(), chunks);
    auto* y_data = static_cast<uint8_t*>(run.outputs[0].data);
    look_up_rows(run.kernels, static_cast<const uint8_t*>(run.inputs[0].data), x, y_data, y,
                 static_cast<const uint8_t*>(run.inputs[1].data), rows);
    fill_border(y, y_data, rows.begin, rows.end);
  };
}

}  // namespace

void add_lookup_table(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "LookupTable",
                 .domain = kEngineDomain,
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer,
                 .evaluate = evaluate,
                 .compile = compile,
                 .pixels = {.takes = takes_pixels, .follows = true}});
}

}  // namespace quantize
