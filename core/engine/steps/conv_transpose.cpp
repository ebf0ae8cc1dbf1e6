// The fast form of ConvTranspose: what every input pixel adds under every tap is a product of matrices; then
// each tap's row is added to the image where the window says.
#include <algorithm>
#include <memory>

#include "core/engine/steps/step.h"
#include "core/ops/support/window.h"

namespace quantize {

namespace {

// Floats that the products of one block of output channels may take: about a second-level cache.
constexpr int64_t kBlockFloats = 256 * 1024;

struct TransposedConv {
  explicit TransposedConv(CompileContext& context);
  void pack_weights(const KernelTable& kernels, const float* weights, float* target) const;
  void run(const StepContext& context) const;
  void add_taps(const float* products, float* y) const;

  Window window;  // `in` is the output image, `out` the input image
  int64_t images, group;
  int64_t channels, outputs;  // of one group
  int64_t block, blocks;      // output channels that are multiplied at a time; how often that is
  float low, high;
  size_t product_floats, block_weights;
  std::vector<size_t> b_rows;
  size_t chunks = 1;  // of the blocks of all groups and images
  Tensor packed;      // nothing if the weights are not constant: then packed by every run
};

TransposedConv::TransposedConv(CompileContext& context)
    : window(conv_transpose_window(context.node, context.shape(0), context.shape(1))),
      images(context.shape(0)[0]),
      group(context.node.int_attribute("group", 1)),
      channels(context.shape(0)[1] / group),
      outputs(context.shape(1)[1]),
      low(context.low),
      high(context.high) {
  const int64_t per_channel = element_count(Shape{window.kernel_size(), window.out_size()});
  block =
      std::clamp<int64_t>(kBlockFloats / std::max<int64_t>(per_channel, 1), 1, std::max<int64_t>(outputs, 1));
  const auto macs = static_cast<double>(images * group * channels) * static_cast<double>(outputs) *
                    static_cast<double>(per_channel);
  if (context.constant(1) != nullptr)
    chunks = context.cut(kCoarseChunks, macs / 50, images * group * outputs);
  if (chunks > 1)
    block = std::min(block, std::max<int64_t>(1, images * group * outputs / static_cast<int64_t>(chunks)));
  blocks = (outputs + block - 1) / block;
  chunks = context.chunks = std::min(chunks, static_cast<size_t>(images * group * blocks));
  product_floats = static_cast<size_t>(element_count(Shape{block, per_channel, 1}) + 15) / 16 * 16;
  for (int64_t c = 0; c < channels; ++c) b_rows.push_back(static_cast<size_t>(c * window.out_size()));
  block_weights = packed_gemm_a_bytes(context.kernels, static_cast<size_t>(block * window.kernel_size()),
                                      static_cast<size_t>(channels)) /
                  sizeof(float);
  const Shape packed_shape{group * blocks, static_cast<int64_t>(block_weights)};
  context.scratch_bytes = product_floats * sizeof(float);
  if (const Tensor* weights = context.constant(1)) {
    packed = Tensor(DataType::kF32, packed_shape);
    pack_weights(context.kernels, weights->data<float>(), packed.mutable_data<float>());
  } else {
    context.scratch_bytes += static_cast<size_t>(element_count(packed_shape)) * sizeof(float);
  }
}

/// Weights are [channels][outputs][taps]; the rows of a product are (output, tap), its k the channels.
void TransposedConv::pack_weights(const KernelTable& kernels, const float* weights, float* target) const {
  const int64_t taps = window.kernel_size();
  for (int64_t g = 0; g < group; ++g, weights += channels * outputs * taps)
    for (int64_t first = 0; first < outputs; first += block, target += block_weights)
      pack_gemm_a_f32(kernels,
                      {weights + first * taps, static_cast<size_t>(std::min(block, outputs - first) * taps),
                       static_cast<size_t>(channels), 1, static_cast<size_t>(outputs * taps)},
                      target);
}

void TransposedConv::run(const StepContext& context) const {
  auto* products = reinterpret_cast<float*>(context.scratch.data());
  const float* weights = packed ? packed.data<float>() : products + product_floats;
  if (!packed) pack_weights(context.kernels, context.inputs[1].as<float>(), products + product_floats);
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const TensorView bias = context.input(2);
  const float* x = context.inputs[0].as<float>();
  float* y = context.outputs[0].as<float>();
  GemmF32 product;
  product.n = product.segment = product.ldc = static_cast<size_t>(window.out_size());
  product.k = static_cast<size_t>(channels);
  product.b_rows = b_rows.data();
  product.c = products;
  product.low = -kInf;
  product.high = kInf;
  const auto [begin, end] = units_of(context, images * group * blocks, chunks);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t i = unit / blocks, g = i % group, first = unit % blocks * block;
    const int64_t count = std::min(block, outputs - first);
    product.b = x + i * channels * window.out_size();
    product.m = static_cast<size_t>(count * window.kernel_size());
    product.a = weights + static_cast<size_t>(g * blocks + unit % blocks) * block_weights;
    context.kernels.gemm_f32(product);
    for (int64_t m = 0; m < count; ++m) {
      float* image = y + (i * outputs + first + m) * window.in_size();
      std::fill_n(image, window.in_size(), bias ? bias.as<float>()[g * outputs + first + m] : 0.0f);
      add_taps(products + m * window.kernel_size() * window.out_size(), image);
      if (low > -kInf || high < kInf)
        for (int64_t j = 0; j < window.in_size(); ++j) image[j] = std::min(std::max(image[j], low), high);
    }
  }
}

void TransposedConv::add_taps(const float* products, float* y) const {
  const auto& [d, h, w] = window.axes;
  for (int64_t kd = 0; kd < d.kernel; ++kd)
    for (int64_t kh = 0; kh < h.kernel; ++kh)
      for (int64_t kw = 0; kw < w.kernel; ++kw, products += window.out_size()) {
        const auto depths = d.outputs_of(kd), rows = h.outputs_of(kh), columns = w.outputs_of(kw);
        for (int64_t id = depths.first; id < depths.last; ++id)
          for (int64_t ih = rows.first; ih < rows.last; ++ih) {
            const float* from = products + (id * h.out + ih) * w.out;
            const int64_t row = (d.start(id) + kd * d.dilation) * h.in + h.start(ih) + kh * h.dilation;
            float* to = y + row * w.in + kw * w.dilation - w.pad_begin;
            with_constant_stride(w.stride, [&](auto stride) {
              for (int64_t iw = columns.first; iw < columns.last; ++iw) to[iw * stride] += from[iw];
            });
          }
      }
}

StepFunction compile_conv_transpose(CompileContext& context) {
  const auto conv = std::make_shared<const TransposedConv>(context);
  return [conv](const StepContext& run) { conv->run(run); };
}

}  // namespace

void add_conv_transpose_steps(std::vector<EngineForm>& forms) {
  forms.push_back(
      {.op_type = "ConvTranspose", .domain = "", .compile = compile_conv_transpose, .fuses_clamp = true});
}
}  // namespace quantize
