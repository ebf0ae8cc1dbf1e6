// The fast forms of operators whose reference can do a part of its work (core/ops/parts.h): threads share it.
#include "core/ops/parts.h"

#include "core/engine/steps/step.h"

namespace quantize {

namespace {

template <const OpParts& kParts>
StepFunction compile_parts(CompileContext& context) {
  std::vector<Shape> inputs;
  for (size_t i = 0; i < context.node.inputs.size(); ++i)
    inputs.push_back(context.node.inputs[i] == kNoValue ? Shape() : context.shape(i));
  const Shape& y = context.output_shape();
  const int64_t units = kParts.units(context.node, inputs, y);
  const double nanoseconds = kParts.nanoseconds * static_cast<double>(element_count(y));
  const size_t chunks = context.chunks = context.cut(kCoarseChunks, nanoseconds, units);
  return [units, chunks](const StepContext& call) {
    const auto [begin, end] = units_of(call, units, chunks);
    kParts.run(call, begin, end);
  };
}

template <const OpParts&... kParts>
void add_all(std::vector<EngineForm>& forms) {
  (forms.push_back({.op_type = kParts.op_type, .domain = kParts.domain, .compile = compile_parts<kParts>}),
   ...);
}

}  // namespace

void add_in_parts_steps(std::vector<EngineForm>& forms) {
  add_all<kGridSampleParts, kRoiAlignParts>(forms);
}

}  // namespace quantize
