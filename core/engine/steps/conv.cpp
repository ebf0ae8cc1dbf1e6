// The fast form of Conv. Read run_dense(): a product of packed weights with the padded image, one per group.
#include <algorithm>
#include <memory>

#include "core/engine/steps/matrix_product.h"
#include "core/engine/steps/padded_image.h"
#include "core/engine/steps/winograd_conv.h"
#include "core/ops/support/window.h"

namespace quantize {

namespace {

/// Products: rows are output channels, k the taps of all input channels, columns the pixels.
struct DenseConv {
  explicit DenseConv(CompileContext& context);
  void split(CompileContext& context);
  /// Neighbouring columns that stand together, of a product of n: all, or a row.
  size_t segment_of(size_t n) const {
    const auto width = static_cast<size_t>(shape.window.width().out);
    return image.pitch == width ? n : width;
  }
  void pack_weights(const float* weights, float* packed) const;
  void run(const StepContext& context) const;
  void run_blocks(const StepContext& context, GemmF32 product, int64_t part, int64_t first,
                  int64_t last) const;

  FloatConvShape shape;
  PaddedImage image;
  GemmForm form;
  GemmF32 gemm;                // all that is the same for every group
  std::vector<size_t> b_rows;  // of every channel's taps
  size_t group_weights = 0;    // floats of one group's packed weights
  size_t image_floats = 0;     // scratch for the padded channels of one group
  Tensor packed;               // nothing if the weights are not constant: then packed by every run
  // For threads, the output of a group is cut into blocks: of rows, or of panels of output channels.
  bool cut_rows = false;
  int64_t blocks = 1;
  size_t chunks = 1;
};

DenseConv::DenseConv(CompileContext& context) : shape(context), image(shape.window) {
  const auto taps = static_cast<int64_t>(image.taps.size());
  const auto channels = static_cast<size_t>(shape.channels);
  gemm.m = static_cast<size_t>(shape.outputs);
  gemm.k = static_cast<size_t>(element_count(Shape{shape.channels, taps}));
  const size_t channel_size = image.in_place ? static_cast<size_t>(shape.in_size) : image.size;
  for (size_t c = 0; c < channels; ++c)
    for (size_t tap : image.taps) b_rows.push_back(c * channel_size + tap);
  const auto rows = static_cast<size_t>(shape.window.height().out),
             width = static_cast<size_t>(shape.window.width().out);
  gemm.n = rows * width;
  gemm.segment_stride = image.pitch;
  gemm.ldc = static_cast<size_t>(shape.out_size);
  gemm.low = shape.low;
  gemm.high = shape.high;

  form = gemm_form(context.kernels, gemm.m, gemm.n, gemm.k, segment_of(gemm.n));
  group_weights = packed_panels_bytes(form.panel, gemm.m, gemm.k) / sizeof(float);
  const Shape packed_shape{shape.group, static_cast<int64_t>(group_weights)};
  if (!image.in_place)
    image_floats =
        static_cast<size_t>(element_count(Shape{shape.channels, static_cast<int64_t>(image.size), 1}));
  context.scratch_bytes = image_floats * sizeof(float);
  if (const Tensor* weights = context.constant(1)) {
    packed = Tensor(DataType::kF32, packed_shape);
    pack_weights(weights->data<float>(), packed.mutable_data<float>());
    context.weights_packed = true;
  } else {
    context.scratch_bytes += static_cast<size_t>(element_count(packed_shape)) * sizeof(float);
  }
  if (packed) split(context);
}

/// Rows if there are enough of them to keep the kernel's tiles full, and no more of the image is padded than
/// is read; else panels, for each of which the whole image is padded.
void DenseConv::split(CompileContext& context) {
  const int64_t parts = shape.images * shape.group, rows = shape.window.height().out;
  const auto panels = static_cast<int64_t>((gemm.m + form.panel - 1) / form.panel);
  // A tall product has less than eight columns in a tile.
  const bool tall = form.run == context.kernels.gemm_tall_f32;
  const auto tiles = static_cast<int64_t>(gemm.n / (tall ? 8 : context.kernels.gemm_nr));
  const int64_t row_units = std::max<int64_t>(std::min(rows, tiles), 1);
  cut_rows = tiles >= 8 * context.threads || (panels < 2 * context.threads && row_units > panels);
  const int64_t units = cut_rows ? row_units : panels;
  const double macs = static_cast<double>(gemm.m) * static_cast<double>(gemm.k) *
                      static_cast<double>(shape.out_size) * static_cast<double>(parts);
  const auto wanted = static_cast<int64_t>(context.cut(kCoarseChunks, macs / 50, parts * units));
  blocks = std::clamp<int64_t>((wanted + parts - 1) / std::max<int64_t>(parts, 1), 1, units);
  chunks = context.chunks = wanted == 1 ? 1 : static_cast<size_t>(parts * blocks);
}

void DenseConv::pack_weights(const float* weights, float* target) const {
  for (int64_t g = 0; g < shape.group; ++g, weights += gemm.m * gemm.k, target += group_weights)
    pack_panels_f32(form.panel, {weights, gemm.m, gemm.k, gemm.k}, target);
}

void DenseConv::run(const StepContext& context) const {
  auto* padded = reinterpret_cast<float*>(context.scratch.data());
  const float* weights = nullptr;
  if (packed) {
    weights = packed.data<float>();
  } else {
    float* target = padded + image_floats;
    pack_weights(context.inputs[1].as<float>(), target);
    weights = target;
  }
  GemmF32 product = gemm;
  product.a = weights;
  product.b_rows = b_rows.data();
  const auto [begin, end] = units_of(context, shape.images * shape.group * blocks, chunks);
  for (int64_t part = begin / blocks; part * blocks < end; ++part)
    run_blocks(context, product, part, std::max<int64_t>(begin - part * blocks, 0),
               std::min(end - part * blocks, blocks));
}

/// The blocks [first, last) of one group of one image.
void DenseConv::run_blocks(const StepContext& context, GemmF32 product, int64_t part, int64_t first,
                           int64_t last) const {
  const auto cut = [&](bool cuts, int64_t units, int64_t block) {
    return cuts ? units * block / blocks : (block == first ? 0 : units);
  };
  const int64_t rows = shape.window.height().out, width = shape.window.width().out;
  const int64_t first_row = cut(cut_rows, rows, first), last_row = cut(cut_rows, rows, last);
  const auto mr = static_cast<int64_t>(form.panel);
  const int64_t panels = (shape.outputs + mr - 1) / mr;
  const int64_t first_output = mr * cut(!cut_rows, panels, first);
  const int64_t last_output = std::min(shape.outputs, mr * cut(!cut_rows, panels, last));

  const int64_t g = part % shape.group;
  product.a += static_cast<size_t>(g) * group_weights + static_cast<size_t>(first_output) * product.k;
  if (const TensorView bias = context.input(2))
    product.row_bias = bias.as<float>() + g * shape.outputs + first_output;
  product.m = static_cast<size_t>(last_output - first_output);
  product.n = static_cast<size_t>((last_row - first_row) * width);
  product.segment = segment_of(product.n);
  const float* addend = nullptr;
  if (shape.adds) addend = context.inputs[kConvAddend].as<float>();
  const float* x = context.inputs[0].as<float>() + part * shape.channels * shape.in_size;
  const int64_t first_y = (part * shape.outputs + first_output) * shape.out_size;
  float* y = context.outputs[0].as<float>() + first_y;
  if (!image.in_place) {
    auto* padded = reinterpret_cast<float*>(context.scratch.data());
    for (int64_t c = 0; c < shape.channels; ++c)
      image.fill(x + c * shape.in_size, padded + static_cast<size_t>(c) * image.size, first_row, last_row);
    x = padded;
  }
  for (int64_t d = 0; d < shape.window.depth().out; ++d) {
    product.b =
        x + (static_cast<size_t>(d) * image.plane_rows + static_cast<size_t>(first_row)) * image.pitch;
    product.c = y + (d * rows + first_row) * width;
    if (addend != nullptr) product.addend = addend + first_y + (d * rows + first_row) * width;
    form.run(product);
  }
}

/// One channel at a time, with the kernel made for it.
void run_depthwise(const FloatConvShape& shape, size_t chunks, const StepContext& context) {
  const WindowAxis &h = shape.window.height(), &w = shape.window.width();
  const TensorView bias = context.input(2);
  DepthwiseF32 call;
  const auto to_size = [](int64_t value) { return static_cast<size_t>(value); };
  call.height = to_size(h.in);
  call.width = to_size(w.in);
  call.out_height = to_size(h.out);
  call.out_width = to_size(w.out);
  call.kernel_h = to_size(h.kernel);
  call.kernel_w = to_size(w.kernel);
  call.stride_h = to_size(h.stride);
  call.stride_w = to_size(w.stride);
  call.dilation_h = to_size(h.dilation);
  call.dilation_w = to_size(w.dilation);
  call.pad_top = to_size(h.pad_begin);
  call.pad_left = to_size(w.pad_begin);
  call.low = shape.low;
  call.high = shape.high;
  const int64_t outputs = shape.group * shape.outputs;
  const auto [begin, end] = units_of(context, shape.images * outputs, chunks);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t m = i % outputs;
    call.x = context.inputs[0].as<float>() + i / shape.outputs * shape.in_size;
    call.y = context.outputs[0].as<float>() + i * shape.out_size;
    call.w = context.inputs[1].as<float>() + m * h.kernel * w.kernel;
    call.bias = bias ? bias.as<float>()[m] : 0.0f;
    context.kernels.depthwise_f32(call);
  }
}

StepFunction compile_depthwise(const FloatConvShape& shape, CompileContext& context) {
  const int64_t channels = shape.images * shape.group * shape.outputs;
  const double macs = static_cast<double>(channels) * static_cast<double>(shape.out_size) *
                      static_cast<double>(shape.window.kernel_size());
  const size_t chunks = context.chunks = context.cut(kCoarseChunks, macs / 15, channels);
  return [shape, chunks](const StepContext& run) { run_depthwise(shape, chunks, run); };
}

/// A kernel as large as its image makes one output per channel: a row times a matrix.
StepFunction compile_vector_conv(const FloatConvShape& shape, CompileContext& context) {
  const int64_t k = element_count(Shape{shape.channels, shape.in_size});
  const auto product =
      std::make_shared<MatrixProduct>(context.kernels, MatrixLayout::row_major(shape.images, k),
                                      MatrixLayout::row_major(shape.outputs, k).transposed());
  product->pack_b(context.constant(1)->data<float>(), 1, 1.0f);
  product->split(context);
  return [product, low = shape.low, high = shape.high](const StepContext& run) {
    const TensorView bias = run.input(2);
    product->run({.a = run.inputs[0].as<float>(),
                  .c = run.outputs[0].as<float>(),
                  .column_bias = bias ? bias.as<float>() : nullptr,
                  .low = low,
                  .high = high},
                 run);
  };
}

/// The ways to compute a convolution.
enum class ConvForm { kVector, kDepthwise, kImage };

ConvForm conv_form(const Window& window, int64_t channels, int64_t group, bool constant_weights) {
  const bool whole = window.out_size() == 1 && window.in_size() == window.kernel_size() && group == 1 &&
                     PaddedImage(window).in_place;
  if (whole && constant_weights) return ConvForm::kVector;
  const bool flat = window.depth().in == 1 && window.depth().kernel == 1 && window.depth().out == 1;
  return channels == 1 && group > 1 && flat ? ConvForm::kDepthwise : ConvForm::kImage;
}

bool fuses_addition(const Graph& graph, const Node& node) {
  const Shape &x = *graph.value(node.inputs[0]).shape, &w = *graph.value(node.inputs[1]).shape;
  return conv_form(conv_window(node, x, w), w[1], node.int_attribute("group", 1),
                   graph.constant(node.inputs[1]) != nullptr) == ConvForm::kImage;
}

StepFunction compile_conv(CompileContext& context) {
  const FloatConvShape shape(context);
  const ConvForm form = conv_form(shape.window, shape.channels, shape.group, context.constant(1) != nullptr);
  if (form == ConvForm::kVector) return compile_vector_conv(shape, context);
  if (form == ConvForm::kDepthwise) return compile_depthwise(shape, context);
  if (context.constant(1) != nullptr && !context.kernels.fp32_exact)
    if (const int tile = winograd_tile(shape); tile > 0) return compile_winograd(shape, tile, context);
  const auto conv = std::make_shared<const DenseConv>(context);
  return [conv](const StepContext& run) { conv->run(run); };
}

}  // namespace

FloatConvShape::FloatConvShape(const CompileContext& context)
    : window(conv_window(context.node, context.shape(0), context.shape(1))),
      images(context.shape(0)[0]),
      group(context.node.int_attribute("group", 1)),
      channels(context.shape(1)[1]),
      outputs(context.shape(1)[0] / group),
      in_size(window.in_size()),
      out_size(window.out_size()),
      low(context.low),
      high(context.high),
      adds(context.adds) {}

void add_conv_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "Conv",
                   .domain = "",
                   .compile = compile_conv,
                   .fuses_clamp = true,
                   .fuses_addition = fuses_addition});
}
}  // namespace quantize
