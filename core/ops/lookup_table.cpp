// LookupTable: y = table[x], code by code. The engine makes it of chains of elementwise operators.
#include "core/engine/integer/integer_passes.h"
#include "core/ops/element_types.h"
#include "core/ops/pixel_steps.h"

namespace quantize {

namespace {

constexpr std::array kCodes{DataType::kU8, DataType::kS8};

void infer(InferContext& context) {
  require_type(context, 0, kCodes);
  require_type(context, 1, kCodes);
  context.set_output(0, context.input(1).dtype, context.shape(0));
}

void look_up(const EvaluateContext& context, const void* x, void* y, size_t n) {
  context.kernels.table_u8(static_cast<const uint8_t*>(x), n,
                           static_cast<const uint8_t*>(context.inputs[1].data), static_cast<uint8_t*>(y));
}

void evaluate(const EvaluateContext& context) {
  look_up(context, context.inputs[0].data, context.outputs[0].data,
          static_cast<size_t>(context.outputs[0].size()));
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
  return [x, y, chunks, dense = is_dense(x) && is_dense(y)](const EvaluateContext& run) {
    const RowRange rows = rows_of(run, y.rows(), chunks);
    auto* y_data = static_cast<uint8_t*>(run.outputs[0].data);
    for_each_run(rows, y, dense, [&](const PixelRun& at) {
      look_up(run, static_cast<const uint8_t*>(run.inputs[0].data) + at.at(x), y_data + at.at(y), at.bytes);
    });
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
                 .pixels = {.takes = takes_pixels}});
}

}  // namespace quantize
