// Between planes of floats and pixels of u8.
#include <algorithm>

#include "core/engine/steps/pixel_steps.h"
#include "core/integer/quantized_operand.h"
#include "core/quant_params.h"

namespace quantize {

namespace {

/// Pixels with a NaN or an infinity among their floats.
void quantize_run(const float* x, const PlaneRun& at, const Storage& y, const OperandParams& params,
                  uint8_t* to) {
  for (size_t p = 0; p < at.count; ++p, ++x, to += y.pixel_stride)
    for (size_t c = 0; c < static_cast<size_t>(y.channels); ++c)
      to[c] = static_cast<uint8_t>(
          quantize_value(x[c * at.plane_stride], params.scale_of(c), params.zero_point_of(c), 0, 255));
}

bool all_finite(const KernelTable& kernels, const float* x, const PlaneRun& at, const Storage& y) {
  for (int64_t c = 0; c < y.channels; ++c, x += at.plane_stride)
    if (kernels.minmax_f32(x, at.count).non_finite != 0) return false;
  return true;
}

/// A block of channels and pixels whose planes of bytes stay in the L1 cache.
constexpr size_t kBlockChannels = 32, kBlockPixels = 256;

/// Calls body(first channel, channels, first pixel, pixels) for every block of a run.
template <typename Body>
void for_each_block(size_t channels, const PlaneRun& at, Body body) {
  for (size_t c = 0; c < channels; c += kBlockChannels)
    for (size_t p = 0; p < at.count; p += kBlockPixels)
      body(c, std::min(kBlockChannels, channels - c), p, std::min(kBlockPixels, at.count - p));
}

/// A scale and zero point per channel.
void quantize_channels(const KernelTable& kernels, const float* x, const PlaneRun& at, const Storage& y,
                       const OperandParams& params, uint8_t* pixels) {
  uint8_t planes[kBlockChannels * kBlockPixels];
  for_each_block(static_cast<size_t>(y.channels), at, [&](size_t c, size_t some, size_t p, size_t count) {
    for (size_t i = 0; i < some; ++i)
      kernels.quantize_f32_u8(x + (c + i) * at.plane_stride + p, count, params.scale_of(c + i),
                              params.zero_point_of(c + i), planes + i * kBlockPixels);
    kernels.transpose_u8(planes, some, count, kBlockPixels, pixels + p * y.pixel_stride + c, y.pixel_stride);
  });
}

void dequantize_run(const KernelTable& kernels, const uint8_t* pixels, const Storage& x, const PlaneRun& at,
                    const ScalarParams& params, float* y) {
  uint8_t planes[kBlockChannels * kBlockPixels];
  for_each_block(static_cast<size_t>(x.channels), at, [&](size_t c, size_t some, size_t p, size_t count) {
    kernels.transpose_u8(pixels + p * x.pixel_stride + c, count, some, x.pixel_stride, planes, kBlockPixels);
    for (size_t i = 0; i < some; ++i)
      kernels.dequantize_u8_f32(planes + i * kBlockPixels, count, params.scale, params.zero_point,
                                y + (c + i) * at.plane_stride + p);
  });
}

/// How many chunks an elementwise step on `size` elements makes.
size_t element_chunks(const CompileContext& context, size_t size) {
  return context.cut(kFineChunks, static_cast<double>(size) / 8, static_cast<int64_t>(size / 64));
}

/// u8 codes of one scale, row-major.
StepFunction compile_dequantize_rows(CompileContext& context) {
  if (context.graph.value(context.node.inputs[0]).dtype != DataType::kU8 ||
      !has_scalar_params(context.graph, context.node, 1))
    return nullptr;
  const ScalarParams params = scalar_params(context.graph, context.node, 1);
  const auto size = static_cast<size_t>(element_count(context.output_shape()));
  const size_t chunks = element_chunks(context, size);
  context.chunks = chunks;
  return [params, size, chunks](const StepContext& run) {
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
  const size_t chunks = element_chunks(context, size);
  context.chunks = chunks;
  return [params, size, chunks](const StepContext& run) {
    const size_t begin = run.chunk_begin * size / chunks, count = run.chunk_end * size / chunks - begin;
    const float* x = run.inputs[0].as<float>() + begin;
    uint8_t* y = run.outputs[0].as<uint8_t>() + begin;
    if (run.kernels.minmax_f32(x, count).non_finite == 0)
      return run.kernels.quantize_f32_u8(x, count, params.scale, params.zero_point, y);
    for (size_t i = 0; i < count; ++i)
      y[i] = static_cast<uint8_t>(quantize_value(x[i], params.scale, params.zero_point, 0, 255));
  };
}

/// An f32 image that becomes a u8 one, constant scale and zero point per tensor or channel.
bool takes_pixel_quantize(const Graph& graph, const Node& node) {
  if (!is_u8_image(graph, node.outputs[0]) || graph.value(node.inputs[0]).dtype != DataType::kF32)
    return false;
  const auto params = constant_params(graph, node, 1);
  const int64_t axis = node.int_attribute("axis", 1), channels = (*graph.value(node.outputs[0]).shape)[1];
  return params && (params->per_tensor() ||
                    ((axis == 1 || axis == -3) && static_cast<int64_t>(params->scale.size()) == channels));
}

bool takes_pixel_dequantize(const Graph& graph, const Node& node) {
  return is_u8_image(graph, node.inputs[0]) && has_scalar_params(graph, node, 1);
}

StepFunction compile_quantize_linear(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return compile_quantize_rows(context);
  const Storage y = context.storage_of(context.node.outputs[0]);
  const OperandParams params = *constant_params(context.graph, context.node, 1);
  const size_t chunks =
      context.cut(kFineChunks, static_cast<double>(y.rows() * y.width * y.channels) / 2, y.rows());
  context.chunks = chunks;
  return [y, params, chunks](const StepContext& run) {
    const UnitRange rows = units_of(run, y.rows(), chunks);
    auto* y_data = static_cast<uint8_t*>(run.outputs[0].data);
    for_each_pixel_run(y, rows, [&](const PlaneRun& at) {
      const float* x = run.inputs[0].as<float>() + at.planes;
      uint8_t* to = y_data + at.pixels;
      if (!all_finite(run.kernels, x, at, y))
        quantize_run(x, at, y, params, to);
      else if (!params.per_tensor())
        quantize_channels(run.kernels, x, at, y, params, to);
      else
        run.kernels.quantize_f32_u8_planes({x, at.count, static_cast<size_t>(y.channels), at.plane_stride,
                                            params.scale[0], params.zero_point[0], to, y.pixel_stride});
    });
    fill_border(y, y_data, rows.begin, rows.end);
  };
}

StepFunction compile_dequantize_linear(CompileContext& context) {
  if (!context.is_pixels(context.node.inputs[0])) return compile_dequantize_rows(context);
  const Storage x = context.storage_of(context.node.inputs[0]);
  const ScalarParams params = scalar_params(context.graph, context.node, 1);
  const size_t chunks =
      context.cut(kFineChunks, static_cast<double>(x.rows() * x.width * x.channels) / 2, x.rows());
  context.chunks = chunks;
  return [x, params, chunks](const StepContext& run) {
    const auto* from = static_cast<const uint8_t*>(run.inputs[0].data);
    for_each_pixel_run(x, units_of(run, x.rows(), chunks), [&](const PlaneRun& at) {
      dequantize_run(run.kernels, from + at.pixels, x, at, params, run.outputs[0].as<float>() + at.planes);
    });
  };
}

}  // namespace

void add_pixel_quantize_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "DequantizeLinear",
                   .domain = "",
                   .compile = compile_dequantize_linear,
                   .pixels = {.takes = takes_pixel_dequantize, .follows = true}});
  forms.push_back({.op_type = "QuantizeLinear",
                   .domain = "",
                   .compile = compile_quantize_linear,
                   .pixels = {.takes = takes_pixel_quantize, .follows = true}});
}

}  // namespace quantize
