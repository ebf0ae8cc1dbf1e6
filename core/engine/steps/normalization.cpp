// Normalizations over blocks of contiguous elements, shared by threads.
#include "core/ops/normalization.h"

#include "core/engine/steps/step.h"
#include "core/error.h"

namespace quantize {

namespace {

const NormalizationBlocks& blocks_of(const Node& node) {
  for (const NormalizationBlocks* blocks : all_normalization_blocks())
    if (node.op_type == blocks->op_type) return *blocks;
  throw Error(ErrorKind::kInternal, node.op_type + " is no normalization over blocks");
}

StepFunction compile_blocks(CompileContext& context) {
  const NormalizationBlocks& blocks = blocks_of(context.node);
  const int64_t elements = element_count(context.shape(0));
  const int64_t count = elements == 0 ? 0 : blocks.count(context.node, context.shape(0));
  const size_t chunks = context.chunks = context.cut(kCoarseChunks, static_cast<double>(elements), count);
  return [normalize = blocks.normalize, count, chunks](const StepContext& run) {
    const auto [begin, end] = units_of(run, count, chunks);
    if (begin < end) normalize(run, begin, end);
  };
}

}  // namespace

void add_normalization_steps(std::vector<EngineForm>& forms) {
  for (const NormalizationBlocks* blocks : all_normalization_blocks())
    forms.push_back({.op_type = blocks->op_type, .domain = "", .compile = compile_blocks});
}

}  // namespace quantize
