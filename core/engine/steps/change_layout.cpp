// ToPixels and ToRowMajor: the same u8 image, laid out as the next operator wants it.
#include <cstring>

#include "core/engine/steps/pixel_steps.h"
#include "core/ops/support/element_types.h"

namespace quantize {

namespace {

/// For a value that does not lie as pixels on either side, nothing changes.
void evaluate(const EvaluateContext& context) {
  std::memcpy(context.outputs[0].data, context.inputs[0].data,
              static_cast<size_t>(context.outputs[0].size()));
}

void infer(InferContext& context) {
  context.set_output(0, context.input(0).dtype, context.shape(0));
}

size_t layout_chunks(const CompileContext& context, const Storage& pixels) {
  return context.cut(kFineChunks, static_cast<double>(pixels.rows() * pixels.width * pixels.channels) / 8,
                     pixels.rows());
}

StepFunction compile_to_row_major(CompileContext& context) {
  if (!context.is_pixels(context.node.inputs[0])) return nullptr;
  const Storage x = context.storage_of(context.node.inputs[0]);
  context.chunks = layout_chunks(context, x);
  return [x, chunks = context.chunks](const StepContext& run) {
    const auto* pixels = static_cast<const uint8_t*>(run.inputs[0].data);
    auto* planes = static_cast<uint8_t*>(run.outputs[0].data);
    for_each_pixel_run(x, units_of(run, x.rows(), chunks), [&](const PlaneRun& at) {
      run.kernels.transpose_u8(pixels + at.pixels, at.count, static_cast<size_t>(x.channels), x.pixel_stride,
                               planes + at.planes, at.plane_stride);
    });
  };
}

StepFunction compile_to_pixels(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  const Storage y = context.storage_of(context.node.outputs[0]);
  context.chunks = layout_chunks(context, y);
  return [y, chunks = context.chunks](const StepContext& run) {
    const auto* planes = static_cast<const uint8_t*>(run.inputs[0].data);
    auto* pixels = static_cast<uint8_t*>(run.outputs[0].data);
    const UnitRange rows = units_of(run, y.rows(), chunks);
    for_each_pixel_run(y, rows, [&](const PlaneRun& at) {
      run.kernels.transpose_u8(planes + at.planes, static_cast<size_t>(y.channels), at.count, at.plane_stride,
                               pixels + at.pixels, y.pixel_stride);
    });
    fill_border(y, pixels, rows.begin, rows.end);
  };
}

OpDef layout_op(const char* op_type) {
  return {.op_type = op_type,
          .domain = kEngineDomain,
          .min_opset = 1,
          .max_opset = 1,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace

void add_change_layout(std::vector<OpDef>& ops) {
  ops.push_back(layout_op("ToPixels"));
  ops.push_back(layout_op("ToRowMajor"));
}

void add_change_layout_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "ToPixels", .domain = kEngineDomain, .compile = compile_to_pixels});
  forms.push_back({.op_type = "ToRowMajor", .domain = kEngineDomain, .compile = compile_to_row_major});
}

}  // namespace quantize
