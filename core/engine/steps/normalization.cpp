// LayerNormalization, shared by threads.
#include "core/ops/normalization.h"

#include "core/engine/steps/step.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

StepFunction compile_layer(CompileContext& context) {
  const int64_t blocks = layer_block_count(context.node, context.shape(0));
  const double elements = static_cast<double>(element_count(context.shape(0)));
  const size_t chunks = context.chunks = context.cut(kCoarseChunks, elements, blocks);
  return [blocks, chunks](const StepContext& run) {
    const auto [begin, end] = units_of(run, blocks, chunks);
    normalize_layer_blocks(run, begin, end);
  };
}

}  // namespace

void add_normalization_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "LayerNormalization", .domain = "", .compile = compile_layer});
}

}  // namespace quantize
