// A product is a convolution whose image has one pixel per row of A.
#include "core/engine/steps/integer_product.h"

#include <memory>

#include "core/engine/steps/pixel_steps.h"

namespace quantize {

namespace {

struct ProductStep {
  void run(const StepContext& context) const {
    ConvU8S8 call;
    const int32_t tap_offset = 0;
    call.tap_offsets = &tap_offset;
    call.packed = weights.packed.bytes();
    call.x_pixel_stride = depth;
    call.y_pixel_stride = columns;
    call.rows = 1;
    call.channel_end = columns;
    const UnitRange range = units_of(context, blocks, chunks);
    const size_t first = by_columns ? 0 : static_cast<size_t>(range.begin) * block_rows;
    call.width = (by_columns ? rows : std::min(static_cast<size_t>(range.end) * block_rows, rows)) - first;
    if (by_columns) {
      call.channel_begin = std::min(context.chunk_begin * chunk_columns, columns);
      call.channel_end = std::min(context.chunk_end * chunk_columns, columns);
    }
    if (call.width == 0 || call.channel_begin >= call.channel_end) return;
    call.x = static_cast<const uint8_t*>(context.inputs[a].data) + first * depth;
    if (is_real)
      call.real = context.outputs[0].as<float>() + first * columns;
    else
      call.y = static_cast<uint8_t*>(context.outputs[0].data) + first * columns;
    context.kernels.conv_u8s8(call);
    if (real_bias) add_bias(call);
  }

  void add_bias(const ConvU8S8& call) const {
    const float* bias = real_bias.data<float>();
    for (size_t r = 0; r < call.width; ++r) {
      float* y = call.real + r * columns;
      for (size_t c = call.channel_begin; c < call.channel_end; ++c) y[c] += bias[c];
    }
  }

  PackedConv weights;
  Tensor real_bias;
  size_t a, rows, depth, columns;
  size_t block_rows;  // that are multiplied at once
  int64_t blocks;
  size_t chunks = 1, chunk_columns = 0;
  bool is_real = false, by_columns = false;
};

}  // namespace

StepFunction compile_integer_product(CompileContext& context, const IntegerProduct& product) {
  const Value &a = context.graph.value(context.node.inputs[product.a]),
              &y = context.graph.value(context.node.outputs[0]);
  if (a.dtype != DataType::kU8 || y.dtype == DataType::kS8) return nullptr;
  const auto constants = conv_constants(context, product.constants);
  if (!constants) return nullptr;
  const bool adds = context.node.input(product.real_bias) != kNoValue;
  const Tensor* bias = context.constant(product.real_bias);
  if (adds && (bias == nullptr || bias->size() != product.columns)) return nullptr;
  auto step = std::make_shared<ProductStep>();
  step->a = product.a;
  step->depth = static_cast<size_t>(product.rows);
  step->columns = static_cast<size_t>(product.columns);
  step->rows = static_cast<size_t>(element_count(*a.shape)) / std::max<size_t>(step->depth, 1);
  step->is_real = y.dtype == DataType::kF32;
  if (adds) step->real_bias = *bias;
  step->weights =
      PackedConv(context.kernels, *constants, {0, step->columns, 1, step->depth, constants->weights.data()});
  const auto rows = static_cast<double>(step->rows), columns = static_cast<double>(step->columns);
  const size_t panel = std::max<size_t>(context.kernels.conv_u8s8_panel, 64);
  const size_t panels = (step->columns + panel - 1) / panel;
  step->by_columns = panels > step->rows / 8;
  step->block_rows = context.kernels.conv_u8s8_pixels;
  step->blocks = static_cast<int64_t>((step->rows + step->block_rows - 1) / step->block_rows);
  step->chunks = context.cut(
      kFineChunks,
      product_nanoseconds(context.kernels, columns * static_cast<double>(step->depth), rows, rows * columns),
      step->by_columns ? static_cast<int64_t>(panels) : step->blocks);
  step->chunk_columns = (panels + step->chunks - 1) / step->chunks * panel;
  context.chunks = step->chunks;
  context.weights_packed = true;
  return [step](const StepContext& run) { step->run(run); };
}

}  // namespace quantize
