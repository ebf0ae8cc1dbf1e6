// ToPixels and ToRowMajor: the same u8 image, laid out as the next operator wants it.
#include <cstring>

#include "core/engine/integer/integer_passes.h"
#include "core/ops/element_types.h"
#include "core/ops/pixel_steps.h"

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

constexpr int64_t kBlock = 16;  // pixels and channels that are turned at once: their lines stay in the cache

/// One row of an image: `planes` [channels] rows of bytes, plane_stride apart, against pixels pixel_stride
/// apart.
template <typename Copy>
void turn_row(const Storage& pixels, Copy copy) {
  for (int64_t c0 = 0; c0 < pixels.channels; c0 += kBlock)
    for (int64_t p0 = 0; p0 < pixels.width; p0 += kBlock)
      for (int64_t c = c0; c < std::min(c0 + kBlock, pixels.channels); ++c)
        for (int64_t p = p0; p < std::min(p0 + kBlock, pixels.width); ++p) copy(c, p);
}

/// Calls turn(pixels of the row, its first plane's row) for the rows of a chunk.
template <typename Turn>
void for_each_row(const EvaluateContext& run, const Storage& pixels, size_t chunks, const uint8_t* pixel_data,
                  const uint8_t* planes, Turn turn) {
  const RowRange rows = rows_of(run, pixels.rows(), chunks);
  const int64_t plane = pixels.height * pixels.width;
  for (int64_t r = rows.begin; r < rows.end; ++r)
    turn(pixel_data + pixels.row_offset(r),
         planes + r / pixels.height * pixels.channels * plane + r % pixels.height * pixels.width);
}

size_t layout_chunks(const Storage& pixels) {
  return chunk_count(static_cast<double>(pixels.rows() * pixels.width * pixels.channels), pixels.rows());
}

StepFunction compile_to_row_major(CompileContext& context) {
  if (!context.is_pixels(context.node.inputs[0])) return nullptr;
  const Storage x = context.storage_of(context.node.inputs[0]);
  context.chunks = layout_chunks(x);
  return [x, chunks = context.chunks](const EvaluateContext& run) {
    auto* planes = static_cast<uint8_t*>(run.outputs[0].data);
    const int64_t plane = x.height * x.width;
    for_each_row(run, x, chunks, static_cast<const uint8_t*>(run.inputs[0].data), planes,
                 [&](const uint8_t* from, const uint8_t* place) {
                   uint8_t* to = planes + (place - planes);
                   turn_row(x, [&](int64_t c, int64_t p) {
                     to[c * plane + p] =
                         from[static_cast<size_t>(p) * x.pixel_stride + static_cast<size_t>(c)];
                   });
                 });
  };
}

StepFunction compile_to_pixels(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  const Storage y = context.storage_of(context.node.outputs[0]);
  context.chunks = layout_chunks(y);
  return [y, chunks = context.chunks](const EvaluateContext& run) {
    auto* pixels = static_cast<uint8_t*>(run.outputs[0].data);
    const int64_t plane = y.height * y.width;
    for_each_row(run, y, chunks, pixels, static_cast<const uint8_t*>(run.inputs[0].data),
                 [&](const uint8_t* place, const uint8_t* from) {
                   uint8_t* to = pixels + (place - pixels);
                   turn_row(y, [&](int64_t c, int64_t p) {
                     to[static_cast<size_t>(p) * y.pixel_stride + static_cast<size_t>(c)] =
                         from[c * plane + p];
                   });
                 });
    const RowRange rows = rows_of(run, y.rows(), chunks);
    fill_border(y, pixels, rows.begin, rows.end);
  };
}

OpDef layout_op(const char* op_type, StepFunction (*compile)(CompileContext&)) {
  return {.op_type = op_type,
          .domain = kEngineDomain,
          .min_opset = 1,
          .max_opset = 1,
          .infer = infer,
          .evaluate = evaluate,
          .compile = compile};
}

}  // namespace

void add_change_layout(std::vector<OpDef>& ops) {
  ops.push_back(layout_op("ToPixels", compile_to_pixels));
  ops.push_back(layout_op("ToRowMajor", compile_to_row_major));
}

}  // namespace quantize
