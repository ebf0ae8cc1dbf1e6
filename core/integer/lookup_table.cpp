// LookupTable: y = table[x], code by code. The engine makes it of chains of elementwise operators.
#include "core/ops/support/element_types.h"
#include "kernels/kernel_table.h"

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

}  // namespace

void add_lookup_table(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "LookupTable",
                 .domain = kEngineDomain,
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
