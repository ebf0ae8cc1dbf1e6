// The fast forms of MaxPool and AveragePool.
#include <algorithm>
#include <limits>
#include <memory>

#include "core/engine/steps/pixel_pool.h"
#include "core/ops/support/pool.h"

namespace quantize {

namespace {

/// A pool over f32 channels, compiled: the window is decoded, threads share the channels.
struct ChannelPool {
  explicit ChannelPool(CompileContext& context)
      : window(pool_window(context.node, context.shape(0))),
        channels(context.shape(0)[0] * context.shape(0)[1]) {
    const double taps = static_cast<double>(channels * window.out_size()) *
                        static_cast<double>(window.height().kernel + window.width().kernel);
    chunks = context.chunks = context.cut(kCoarseChunks, taps / 2, channels);
    context.scratch_bytes = static_cast<size_t>(window.width().in) * sizeof(float);
  }

  /// Calls channel(x, y, row) for the channels of one call; `row` holds width().in floats.
  template <typename Channel>
  void run(const StepContext& context, Channel channel) const {
    const UnitRange range = units_of(context, channels, chunks);
    for (int64_t c = range.begin; c < range.end; ++c)
      channel(context.inputs[0].as<float>() + c * window.in_size(),
              context.outputs[0].as<float>() + c * window.out_size(),
              reinterpret_cast<float*>(context.scratch.data()));
  }

  Window window;
  int64_t channels;
  size_t chunks = 1;
};

StepFunction compile_average_pool(CompileContext& context) {
  const bool include_padding = context.node.int_attribute("count_include_pad", 0) != 0;
  return [pool = std::make_shared<const ChannelPool>(context), include_padding](const StepContext& run) {
    pool->run(run, [&](const float* x, float* y, float* row) {
      pool_channel(pool->window, x, y, row, 0.0f, [](float a, float b) { return a + b; });
      divide_by_counts(pool->window, include_padding, y);
    });
  };
}

/// The places of the maxima are left to the reference.
StepFunction compile_max_pool(CompileContext& context) {
  if (context.node.output(1) != kNoValue) return nullptr;
  if (StepFunction on_pixels = compile_pixel_max_pool(context)) return on_pixels;
  if (context.graph.value(context.node.inputs[0]).dtype != DataType::kF32) return nullptr;
  return [pool = std::make_shared<const ChannelPool>(context)](const StepContext& run) {
    pool->run(run, [&](const float* x, float* y, float* row) {
      pool_channel(pool->window, x, y, row, std::numeric_limits<float>::lowest(),
                   [](float a, float b) { return std::max(a, b); });
    });
  };
}

}  // namespace

void add_float_pool_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "AveragePool", .domain = "", .compile = compile_average_pool});
  forms.push_back({.op_type = "MaxPool",
                   .domain = "",
                   .compile = compile_max_pool,
                   .pixels = {.takes = takes_pixel_max_pool}});
}

}  // namespace quantize
