// Between planes of floats and pixels of u8.
#include "core/ops/pixel_quantize.h"

#include <array>

#include "core/ops/pixel_steps.h"
#include "core/ops/quantized_operand.h"
#include "core/quant_params.h"

namespace quantize {

namespace {

/// One row of an image with a NaN or an infinity among its floats.
void quantize_row(const float* x, size_t plane, const Storage& y, const ScalarParams& params, uint8_t* to) {
  for (int64_t p = 0; p < y.width; ++p, ++x, to += y.pixel_stride)
    for (size_t c = 0; c < static_cast<size_t>(y.channels); ++c)
      to[c] = static_cast<uint8_t>(quantize_value(x[c * plane], params.scale, params.zero_point, 0, 255));
}

bool all_finite(const KernelTable& kernels, const float* x, size_t plane, const Storage& y) {
  for (int64_t c = 0; c < y.channels; ++c, x += plane)
    if (kernels.minmax_f32(x, static_cast<size_t>(y.width)).non_finite != 0) return false;
  return true;
}

/// u8 codes of one scale, row-major.
StepFunction compile_dequantize_rows(CompileContext& context) {
  if (context.graph.value(context.node.inputs[0]).dtype != DataType::kU8 ||
      !has_scalar_params(context.graph, context.node, 1))
    return nullptr;
  const ScalarParams params = scalar_params(context.graph, context.node, 1);
  const auto size = static_cast<size_t>(element_count(context.output_shape()));
  const size_t chunks = chunk_count(static_cast<double>(size) / 8, static_cast<int64_t>(size / 64));
  context.chunks = chunks;
  return [params, size, chunks](const EvaluateContext& run) {
    const size_t begin = run.chunk_begin * size / chunks, end = run.chunk_end * size / chunks;
    run.kernels.dequantize_u8_f32(run.inputs[0].as<uint8_t>() + begin, end - begin, params.scale,
                                  params.zero_point, run.outputs[0].as<float>() + begin);
  };
}

}  // namespace

bool takes_pixel_quantize(const Graph& graph, const Node& node) {
  return is_u8_image(graph, node.outputs[0]) && has_scalar_params(graph, node, 1) &&
         graph.value(node.inputs[0]).dtype == DataType::kF32;
}

bool takes_pixel_dequantize(const Graph& graph, const Node& node) {
  return is_u8_image(graph, node.inputs[0]) && has_scalar_params(graph, node, 1);
}

StepFunction compile_quantize_linear(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  const Storage y = context.storage_of(context.node.outputs[0]);
  const ScalarParams params = scalar_params(context.graph, context.node, 1);
  const size_t chunks = chunk_count(static_cast<double>(y.rows() * y.width * y.channels) / 2, y.rows());
  context.chunks = chunks;
  return [y, params, chunks](const EvaluateContext& run) {
    const RowRange rows = rows_of(run, y.rows(), chunks);
    const auto plane = static_cast<size_t>(y.height * y.width), width = static_cast<size_t>(y.width),
               channels = static_cast<size_t>(y.channels);
    auto* y_data = static_cast<uint8_t*>(run.outputs[0].data);
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const float* x = run.inputs[0].as<float>() + static_cast<size_t>(r / y.height) * channels * plane +
                       static_cast<size_t>(r % y.height) * width;
      uint8_t* to = y_data + y.row_offset(r);
      if (all_finite(run.kernels, x, plane, y))
        run.kernels.quantize_f32_u8_planes(x, width, channels, plane, params.scale, params.zero_point, to,
                                           y.pixel_stride);
      else
        quantize_row(x, plane, y, params, to);
    }
    fill_border(y, y_data, rows.begin, rows.end);
  };
}

StepFunction compile_dequantize_linear(CompileContext& context) {
  if (!context.is_pixels(context.node.inputs[0])) return compile_dequantize_rows(context);
  const Storage x = context.storage_of(context.node.inputs[0]);
  const ScalarParams params = scalar_params(context.graph, context.node, 1);
  std::array<float, 256> reals;
  for (int32_t code = 0; code < 256; ++code)
    reals[static_cast<size_t>(code)] = dequantize_value(code, params.scale, params.zero_point);
  const size_t chunks = chunk_count(static_cast<double>(x.rows() * x.width * x.channels), x.rows());
  context.chunks = chunks;
  return [x, reals, chunks](const EvaluateContext& run) {
    const RowRange rows = rows_of(run, x.rows(), chunks);
    const auto plane = static_cast<size_t>(x.height * x.width), channels = static_cast<size_t>(x.channels);
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const uint8_t* from = static_cast<const uint8_t*>(run.inputs[0].data) + x.row_offset(r);
      float* to = run.outputs[0].as<float>() + static_cast<size_t>(r / x.height) * channels * plane +
                  static_cast<size_t>(r % x.height * x.width);
      for (size_t c = 0; c < channels; ++c)
        for (size_t p = 0; p < static_cast<size_t>(x.width); ++p)
          to[c * plane + p] = reals[from[p * x.pixel_stride + c]];
    }
  };
}

}  // namespace quantize
