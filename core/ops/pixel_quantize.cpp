// Between planes of floats and pixels of u8.
#include "core/ops/pixel_quantize.h"

#include <algorithm>

#include "core/ops/pixel_steps.h"
#include "core/ops/quantized_operand.h"
#include "core/quant_params.h"

namespace quantize {

namespace {

/// Pixels with a NaN or an infinity among their floats.
void quantize_run(const float* x, const PlaneRun& at, const Storage& y, const ScalarParams& params,
                  uint8_t* to) {
  for (size_t p = 0; p < at.count; ++p, ++x, to += y.pixel_stride)
    for (size_t c = 0; c < static_cast<size_t>(y.channels); ++c)
      to[c] = static_cast<uint8_t>(
          quantize_value(x[c * at.plane_stride], params.scale, params.zero_point, 0, 255));
}

bool all_finite(const KernelTable& kernels, const float* x, const PlaneRun& at, const Storage& y) {
  for (int64_t c = 0; c < y.channels; ++c, x += at.plane_stride)
    if (kernels.minmax_f32(x, at.count).non_finite != 0) return false;
  return true;
}

/// Through planes of bytes that stay in the L1 cache.
void dequantize_run(const KernelTable& kernels, const uint8_t* pixels, const Storage& x, const PlaneRun& at,
                    const ScalarParams& params, float* y) {
  constexpr size_t kChannels = 32, kPixels = 256;
  uint8_t planes[kChannels * kPixels];
  const auto channels = static_cast<size_t>(x.channels);
  for (size_t c = 0; c < channels; c += kChannels)
    for (size_t p = 0; p < at.count; p += kPixels) {
      const size_t some = std::min(kChannels, channels - c), count = std::min(kPixels, at.count - p);
      kernels.transpose_u8(pixels + p * x.pixel_stride + c, count, some, x.pixel_stride, planes, kPixels);
      for (size_t i = 0; i < some; ++i)
        kernels.dequantize_u8_f32(planes + i * kPixels, count, params.scale, params.zero_point,
                                  y + (c + i) * at.plane_stride + p);
    }
}

/// How many chunks an elementwise step on `size` elements makes.
size_t element_chunks(size_t size) {
  return chunk_count(static_cast<double>(size) / 8, static_cast<int64_t>(size / 64));
}

/// u8 codes of one scale, row-major.
StepFunction compile_dequantize_rows(CompileContext& context) {
  if (context.graph.value(context.node.inputs[0]).dtype != DataType::kU8 ||
      !has_scalar_params(context.graph, context.node, 1))
    return nullptr;
  const ScalarParams params = scalar_params(context.graph, context.node, 1);
  const auto size = static_cast<size_t>(element_count(context.output_shape()));
  const size_t chunks = element_chunks(size);
  context.chunks = chunks;
  return [params, size, chunks](const EvaluateContext& run) {
    const size_t begin = run.chunk_begin * size / chunks, end = run.chunk_end * size / chunks;
    run.kernels.dequantize_u8_f32(run.inputs[0].as<uint8_t>() + begin, end - begin, params.scale,
                                  params.zero_point, run.outputs[0].as<float>() + begin);
  };
}

/// True for f32 with a constant scale and zero point.
bool has_real_input(const Graph& graph, const Node& node) {
  return has_scalar_params(graph, node, 1) && graph.value(node.inputs[0]).dtype == DataType::kF32;
}

/// The same in the other direction.
StepFunction compile_quantize_rows(CompileContext& context) {
  if (!has_real_input(context.graph, context.node) ||
      context.graph.value(context.node.outputs[0]).dtype != DataType::kU8)
    return nullptr;
  const ScalarParams params = scalar_params(context.graph, context.node, 1);
  const auto size = static_cast<size_t>(element_count(context.output_shape()));
  const size_t chunks = element_chunks(size);
  context.chunks = chunks;
  return [params, size, chunks](const EvaluateContext& run) {
    const size_t begin = run.chunk_begin * size / chunks, count = run.chunk_end * size / chunks - begin;
    const float* x = run.inputs[0].as<float>() + begin;
    uint8_t* y = run.outputs[0].as<uint8_t>() + begin;
    if (run.kernels.minmax_f32(x, count).non_finite == 0)
      return run.kernels.quantize_f32_u8(x, count, params.scale, params.zero_point, y);
    for (size_t i = 0; i < count; ++i)
      y[i] = static_cast<uint8_t>(quantize_value(x[i], params.scale, params.zero_point, 0, 255));
  };
}

}  // namespace

bool takes_pixel_quantize(const Graph& graph, const Node& node) {
  return is_u8_image(graph, node.outputs[0]) && has_real_input(graph, node);
}

bool takes_pixel_dequantize(const Graph& graph, const Node& node) {
  return is_u8_image(graph, node.inputs[0]) && has_scalar_params(graph, node, 1);
}

StepFunction compile_quantize_linear(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return compile_quantize_rows(context);
  const Storage y = context.storage_of(context.node.outputs[0]);
  const ScalarParams params = scalar_params(context.graph, context.node, 1);
  const size_t chunks = chunk_count(static_cast<double>(y.rows() * y.width * y.channels) / 2, y.rows());
  context.chunks = chunks;
  return [y, params, chunks](const EvaluateContext& run) {
    const RowRange rows = rows_of(run, y.rows(), chunks);
    auto* y_data = static_cast<uint8_t*>(run.outputs[0].data);
    for_each_pixel_run(y, rows, [&](const PlaneRun& at) {
      const float* x = run.inputs[0].as<float>() + at.planes;
      if (all_finite(run.kernels, x, at, y))
        run.kernels.quantize_f32_u8_planes(x, at.count, static_cast<size_t>(y.channels), at.plane_stride,
                                           params.scale, params.zero_point, y_data + at.pixels,
                                           y.pixel_stride);
      else
        quantize_run(x, at, y, params, y_data + at.pixels);
    });
    fill_border(y, y_data, rows.begin, rows.end);
  };
}

StepFunction compile_dequantize_linear(CompileContext& context) {
  if (!context.is_pixels(context.node.inputs[0])) return compile_dequantize_rows(context);
  const Storage x = context.storage_of(context.node.inputs[0]);
  const ScalarParams params = scalar_params(context.graph, context.node, 1);
  const size_t chunks = chunk_count(static_cast<double>(x.rows() * x.width * x.channels) / 2, x.rows());
  context.chunks = chunks;
  return [x, params, chunks](const EvaluateContext& run) {
    const auto* from = static_cast<const uint8_t*>(run.inputs[0].data);
    for_each_pixel_run(x, rows_of(run, x.rows(), chunks), [&](const PlaneRun& at) {
      dequantize_run(run.kernels, from + at.pixels, x, at, params, run.outputs[0].as<float>() + at.planes);
    });
  };
}

}  // namespace quantize
