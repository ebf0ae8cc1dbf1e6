// Pools on pixels: each output pixel reduces the part of its window that lies inside the image.
#include "core/engine/steps/pixel_pool.h"

#include <cstring>

#include "core/engine/steps/pixel_steps.h"
#include "core/integer/exact_sums.h"
#include "core/integer/integer_formulas.h"

namespace quantize {

namespace {

bool is_image_to_image(const Graph& graph, const Node& node) {
  return is_u8_image(graph, node.inputs[0]) && is_u8_image(graph, node.outputs[0]);
}

/// The common part of the windows of one step.
struct PixelPool {
  PixelPool(CompileContext& context, const Window& w)
      : window(w),
        x(context.storage_of(context.node.inputs[0])),
        y(context.storage_of(context.node.outputs[0])) {
    const double bytes = static_cast<double>(y.rows() * y.width * y.channels * window.kernel_size());
    chunks = context.cut(kFineChunks, bytes / 16, y.rows());
    context.chunks = chunks;
  }

  /// Calls body(part of the window inside the image, output row and column) for the rows in question.
  template <typename Body>
  void run(const StepContext& context, Body body) const {
    const auto* x_data = static_cast<const uint8_t*>(context.inputs[0].data);
    auto* y_data = static_cast<uint8_t*>(context.outputs[0].data);
    const UnitRange rows = units_of(context, y.rows(), chunks);
    for (int64_t r = rows.begin; r < rows.end; ++r)
      for (int64_t column = 0; column < y.width; ++column) {
        PoolU8 call = inside(r % y.height, column);
        call.x = x_data + r / y.height * static_cast<int64_t>(x.image_stride) + offset(r % y.height, column);
        call.y = y_data + y.row_offset(r) + static_cast<size_t>(column) * y.pixel_stride;
        if (call.rows == 0 || call.width == 0)  // dilation steps over the whole image
          std::memset(call.y, 0, call.channels);
        else
          body(call, r % y.height, column);
      }
    fill_border(y, y_data, rows.begin, rows.end);
  }

  PoolU8 inside(int64_t row, int64_t column) const {
    const WindowAxis &h = window.height(), &w = window.width();
    PoolU8 call;
    call.rows = static_cast<size_t>(std::max<int64_t>(h.last_tap(row) - h.first_tap(row), 0));
    call.width = static_cast<size_t>(std::max<int64_t>(w.last_tap(column) - w.first_tap(column), 0));
    call.x_row_stride = static_cast<size_t>(h.dilation) * x.row_stride;
    call.x_pixel_stride = static_cast<size_t>(w.dilation) * x.pixel_stride;
    call.channels = static_cast<size_t>(y.channels);
    return call;
  }
  /// Where the first tap inside the image stands.
  int64_t offset(int64_t row, int64_t column) const {
    const WindowAxis &h = window.height(), &w = window.width();
    return (h.start(row) + h.first_tap(row) * h.dilation) * static_cast<int64_t>(x.row_stride) +
           (w.start(column) + w.first_tap(column) * w.dilation) * static_cast<int64_t>(x.pixel_stride);
  }

  Window window;
  Storage x, y;
  size_t chunks;
};

/// Constant scales, and sums that fit.
bool takes_average_pool(const Graph& graph, const Node& node) {
  return is_image_to_image(graph, node) && is_plain_u8(graph, node) &&
         bound_of_pool(node, *graph.value(node.inputs[0]).shape).fits();
}

StepFunction compile_qlinear_average_pool(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  const Window window = pool_window(context.node, context.shape(0));
  const ScalarParams x = scalar_params(context.graph, context.node, 1),
                     y = scalar_params(context.graph, context.node, 3);
  const bool with_padding = context.node.int_attribute("count_include_pad", 0) != 0;
  return [pool = PixelPool(context, window), x, y, with_padding](const StepContext& run) {
    pool.run(run, [&](PoolU8 call, int64_t row, int64_t column) {
      const int64_t count = qlinear_divisor(pool.window.height(), row, with_padding) *
                            qlinear_divisor(pool.window.width(), column, with_padding);
      call.offset = -static_cast<int32_t>(call.rows * call.width) * x.zero_point;
      call.multiplier = mean_multiplier(x, y, count);
      call.zero_point = y.zero_point;
      run.kernels.average_pool_u8(call);
    });
  };
}

StepFunction compile_qlinear_global_average_pool(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  const ScalarParams x_params = scalar_params(context.graph, context.node, 1),
                     y_params = scalar_params(context.graph, context.node, 3);
  const Storage x = context.storage_of(context.node.inputs[0]),
                y = context.storage_of(context.node.outputs[0]);
  PoolU8 call;
  call.rows = static_cast<size_t>(x.height);
  call.width = static_cast<size_t>(x.width);
  call.x_row_stride = x.row_stride;
  call.x_pixel_stride = x.pixel_stride;
  call.channels = static_cast<size_t>(x.channels);
  call.offset = -static_cast<int32_t>(x.height * x.width) * x_params.zero_point;
  call.multiplier = mean_multiplier(x_params, y_params, x.height * x.width);
  call.zero_point = y_params.zero_point;
  return [call, x, y](const StepContext& run) {
    PoolU8 image = call;
    auto* y_data = static_cast<uint8_t*>(run.outputs[0].data);
    for (int64_t i = 0; i < x.images; ++i) {
      image.x = static_cast<const uint8_t*>(run.inputs[0].data) + static_cast<size_t>(i) * x.image_stride;
      image.y = y_data + static_cast<size_t>(i) * y.image_stride;
      run.kernels.average_pool_u8(image);
    }
    fill_border(y, y_data, 0, y.rows());
  };
}

}  // namespace

bool takes_pixel_max_pool(const Graph& graph, const Node& node) {
  return node.output(1) == kNoValue && is_image_to_image(graph, node);
}

StepFunction compile_pixel_max_pool(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  const Window window = pool_window(context.node, context.shape(0));
  return [pool = PixelPool(context, window)](const StepContext& run) {
    pool.run(run, [&](const PoolU8& call, int64_t, int64_t) { run.kernels.max_pool_u8(call); });
  };
}

void add_pixel_pool_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "QLinearAveragePool",
                   .domain = "com.microsoft",
                   .compile = compile_qlinear_average_pool,
                   .pixels = {.takes = takes_average_pool}});
  forms.push_back({.op_type = "QLinearGlobalAveragePool",
                   .domain = "com.microsoft",
                   .compile = compile_qlinear_global_average_pool,
                   .pixels = {.takes = takes_average_pool}});
}

}  // namespace quantize
