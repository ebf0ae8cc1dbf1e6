// Blending pixels.
#include "core/engine/steps/pixel_blend.h"

#include <algorithm>

#include "core/engine/steps/pixel_steps.h"

namespace quantize {

namespace {

/// y[i] += weight * x[i]
template <typename T>
void add_scaled(const T* x, int64_t n, float weight, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += weight * static_cast<float>(x[i]);
}

struct BlendPixels {
  void run(const StepContext& context) const;
  /// One input row as reals: the mean of the rows that output row `row` of an image reads.
  void blend_rows(const uint8_t* image, size_t row, float* blended) const;
  /// One row of the output from that.
  void blend_columns(const StepContext& context, const float* blended, float* pixel, uint8_t* y_row) const;

  size_t reals() const { return static_cast<size_t>(x.width * x.channels + y.channels); }

  Storage x, y;
  Taps rows, columns;
  size_t chunks = 1;
};

void BlendPixels::blend_rows(const uint8_t* image, size_t row, float* blended) const {
  std::fill_n(blended, x.width * x.channels, 0.0f);
  const bool dense = is_dense(x);
  for (size_t t = rows.begin[row]; t < rows.begin[row + 1]; ++t) {
    const uint8_t* from = image + static_cast<size_t>(rows.index[t]) * x.row_stride;
    if (dense) {
      add_scaled(from, x.width * x.channels, rows.weight[t], blended);
      continue;
    }
    for (int64_t p = 0; p < x.width; ++p, from += x.pixel_stride)
      add_scaled(from, x.channels, rows.weight[t], blended + p * x.channels);
  }
}

void BlendPixels::blend_columns(const StepContext& context, const float* blended, float* pixel,
                                uint8_t* y_row) const {
  for (size_t j = 0; j + 1 < columns.begin.size(); ++j, y_row += y.pixel_stride) {
    std::fill_n(pixel, y.channels, 0.0f);
    for (size_t t = columns.begin[j]; t < columns.begin[j + 1]; ++t)
      add_scaled(blended + columns.index[t] * y.channels, y.channels, columns.weight[t], pixel);
    context.kernels.quantize_f32_u8(pixel, static_cast<size_t>(y.channels), 1, 0, y_row);
  }
}

void BlendPixels::run(const StepContext& context) const {
  const UnitRange range = units_of(context, y.rows(), chunks);
  const auto* x_data = static_cast<const uint8_t*>(context.inputs[0].data);
  auto* y_data = static_cast<uint8_t*>(context.outputs[0].data);
  auto* blended = reinterpret_cast<float*>(context.scratch.data());
  for (int64_t r = range.begin; r < range.end; ++r) {
    blend_rows(x_data + x.row_offset(r / y.height * x.height), static_cast<size_t>(r % y.height), blended);
    blend_columns(context, blended, blended + x.width * x.channels, y_data + y.row_offset(r));
  }
  fill_border(y, y_data, range.begin, range.end);
}

}  // namespace

StepFunction blend_pixels(CompileContext& context, Taps rows, Taps columns) {
  BlendPixels blend{context.storage_of(context.node.inputs[0]), context.storage_of(context.node.outputs[0]),
                    std::move(rows), std::move(columns)};
  const double reals = static_cast<double>(blend.y.rows()) * static_cast<double>(blend.reals());
  blend.chunks = context.chunks = context.cut(kFineChunks, 2 * reals, blend.y.rows());
  context.scratch_bytes = blend.reals() * sizeof(float);
  return [blend = std::move(blend)](const StepContext& run) { blend.run(run); };
}

}  // namespace quantize
