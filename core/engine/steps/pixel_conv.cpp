// QLinearConv and FusedConv on pixels: weights packed once, rows or channels computed by the kernels.
// Read compile_pixel_conv() first.
#include <algorithm>
#include <memory>

#include "core/engine/steps/pixel_conv.h"

#include "core/engine/steps/packed_conv.h"
#include "core/engine/steps/pixel_steps.h"
#include "core/fusion/patterns.h"
#include "core/integer/fused_conv.h"
#include "core/integer/integer_formulas.h"
#include "core/ops/support/window.h"

namespace quantize {

namespace {

/// Where the inputs of QLinearConv stand.
enum : size_t { kX = 0, kXScale = 1, kW = 3, kYScale = 6, kBias = 8 };

ConvOperands operands_of(const Node& conv, const Tensor& weights) {
  return {.x_scale = kXScale,
          .x_zero_point = kXScale + 1,
          .w = kW,
          .w_scale = kW + 1,
          .w_zero_point = kW + 2,
          .bias = kBias,
          .y_scale = kYScale,
          .channels = static_cast<size_t>(weights.shape()[0]),
          .by_channel = is_fused_conv(conv),
          .is_real = function_of(conv).has_value()};
}

/// Additions and tables, with the residual's place.
struct ConvEpilogue {
  explicit ConvEpilogue(const CompileContext& context);
  /// That of the output row at `y_offset` of this residual and image.
  EpilogueU8 at(const StepContext& run, int64_t row) const;

  EpilogueU8 fixed;
  Storage residual;
  bool adds = false;
};

ConvEpilogue::ConvEpilogue(const CompileContext& context) {
  if (const Tensor* table = context.constant(kFusedConvTable)) fixed.table = table->data<uint8_t>();
  adds = context.node.input(kFusedConvResidual) != kNoValue;
  if (!adds) return;
  residual = context.storage_of(context.node.input(kFusedConvResidual));
  const auto params = [&](size_t i) { return scalar_params(context.graph, context.node, i); };
  const ScalarParams b = params(kFusedConvResidual + 1);
  AddU8 form;
  fixed.b_joins = joins_residual(context.node);
  if (fixed.b_joins) {
    form = join_form(b, params(kYScale));
  } else {
    // The offset is computed as QLinearAdd does, in the order of its operands.
    const ScalarParams a = params(kFusedConvAddition), sum = params(kFusedConvResidual + 3);
    fixed.b_first = context.node.int_attribute("residual_first", 0) != 0;
    form = fixed.b_first ? add_form(b, a, sum) : add_form(a, b, sum);
    if (fixed.b_first) std::swap(form.a_ratio, form.b_ratio);
  }
  fixed.a_ratio = form.a_ratio;
  fixed.b_ratio = form.b_ratio;
  fixed.offset = form.offset;
  fixed.b_pixel_stride = residual.pixel_stride;
  fixed.b_row_stride = residual.row_stride;
}

EpilogueU8 ConvEpilogue::at(const StepContext& run, int64_t row) const {
  EpilogueU8 result = fixed;
  if (adds)
    result.b = static_cast<const uint8_t*>(run.inputs[kFusedConvResidual].data) + residual.row_offset(row);
  return result;
}

/// A function in front of the only rounding: the kernel leaves reals, a few rows at a time.
struct ConvFunction {
  explicit ConvFunction(CompileContext& context, const Storage& y);
  explicit operator bool() const { return function.has_value(); }
  /// Rows and channels of one call.
  struct Part {
    size_t rows, begin, end;
  };
  /// Calls convolve(first row, rows) for blocks of the rows, which writes their reals to `reals`, [row]
  /// [pixel][channel], and makes codes of channels [begin, end) of them, with the residual of `epilogue`.
  template <typename Convolve>
  void run(const StepContext& run, const EpilogueU8& epilogue, uint8_t* y, const Part& part,
           Convolve convolve) const;

  std::optional<Function> function;
  float alpha = 0;
  std::vector<float> ratio, zero_point;
  Storage y;
  size_t block_rows = 1;

  size_t pixel_reals() const { return static_cast<size_t>(y.channels); }
  size_t row_reals() const { return static_cast<size_t>(y.width * y.channels); }
};

ConvFunction::ConvFunction(CompileContext& context, const Storage& output)
    : function(function_of(context.node)), alpha(context.node.float_attribute("alpha", 0)), y(output) {
  if (!function) return;
  const OperandParams params = *constant_params(context.graph, context.node, kYScale);
  for (size_t c = 0; c < pixel_reals(); ++c) {
    ratio.push_back(1 / params.scale_of(c));
    zero_point.push_back(static_cast<float>(params.zero_point_of(c)));
  }
  constexpr size_t kCachedReals = size_t{24} << 10;  // 96 KiB, which stay in the L2 cache
  block_rows = std::clamp<size_t>(kCachedReals / row_reals(), 1, static_cast<size_t>(y.height));
  context.scratch_bytes = block_rows * row_reals() * sizeof(float);
}

template <typename Convolve>
void ConvFunction::run(const StepContext& run, const EpilogueU8& epilogue, uint8_t* to, const Part& part,
                       Convolve convolve) const {
  const auto& [rows, begin, end] = part;
  auto* reals = reinterpret_cast<float*>(run.scratch.data());
  FunctionU8 call{.function = *function,
                  .alpha = alpha,
                  .rows = static_cast<size_t>(y.width),
                  .n = end - begin,
                  .x_stride = pixel_reals(),
                  .y_stride = y.pixel_stride,
                  .ratio = ratio.data() + begin,
                  .zero_point = zero_point.data() + begin,
                  .b_stride = epilogue.b_pixel_stride,
                  .b_ratio = epilogue.b_ratio,
                  .b_offset = epilogue.offset};
  for (size_t first = 0; first < rows; first += block_rows) {
    const size_t count = std::min(block_rows, rows - first);
    convolve(first, count, reals);
    for (size_t r = 0; r < count; ++r) {
      call.x = reals + r * row_reals() + begin;
      call.y = to + (first + r) * y.row_stride + begin;
      if (epilogue.b != nullptr) call.b = epilogue.b + (first + r) * epilogue.b_row_stride + begin;
      run.kernels.function_u8(call);
    }
  }
}

/// The common part of dense and depthwise convolutions.
struct PixelConv {
  explicit PixelConv(CompileContext& context)
      : window(conv_window(context.node, context.shape(kX), context.shape(kW))),
        x(context.storage_of(context.node.inputs[kX])),
        y(context.storage_of(context.node.outputs[0])),
        epilogue(context),
        function(context, y),
        table(context.constant(kFusedConvTable) == nullptr ? Tensor() : *context.constant(kFusedConvTable)) {}

  /// The first byte that output row `row` of an image reads.
  const uint8_t* x_row(const StepContext& run, int64_t image, int64_t row) const {
    const auto* data = static_cast<const uint8_t*>(run.inputs[kX].data);
    const int64_t offset = image * static_cast<int64_t>(x.image_stride) +
                           window.height().start(row) * static_cast<int64_t>(x.row_stride) +
                           window.width().start(0) * static_cast<int64_t>(x.pixel_stride);
    return data + offset;
  }
  uint8_t* y_data(const StepContext& run) const { return static_cast<uint8_t*>(run.outputs[0].data); }

  Window window;
  Storage x, y;
  ConvEpilogue epilogue;
  ConvFunction function;
  Tensor table;  // owns what the epilogue points to
  size_t chunks = 1;
};

struct DenseConv : PixelConv {
  explicit DenseConv(CompileContext& context);
  void lay_out_taps(int64_t channels);
  void find_row_taps();
  std::vector<int8_t> group_weights(const ConvConstants& all, size_t group) const;
  void run(const StepContext& context) const;
  void run_block(const StepContext& context, int64_t image, int64_t row, ConvU8S8 call) const;
  void run_groups(const KernelTable& kernels, ConvU8S8 call) const;

  size_t groups, group_channels, group_outputs;
  bool whole_rows = false;  // a run is a row of the kernel, else one tap
  size_t depth = 0;
  std::vector<int32_t> tap_offsets;
  std::vector<TapRange> row_taps;  // per row of an image, or none: all
  std::vector<PackedConv> packed;  // per group
  bool by_channels = false;        // chunks are ranges of output channels, else of rows
  size_t chunk_channels = 0;
};

DenseConv::DenseConv(CompileContext& context)
    : PixelConv(context),
      groups(static_cast<size_t>(context.node.int_attribute("group", 1))),
      group_channels(static_cast<size_t>(context.shape(kW)[1])),
      group_outputs(static_cast<size_t>(context.shape(kW)[0]) / groups) {
  lay_out_taps(context.shape(kX)[1]);
  find_row_taps();
  const ConvConstants all = *conv_constants(context, operands_of(context.node, *context.constant(kW)));
  for (size_t g = 0; g < groups; ++g) {
    const std::vector<int8_t> weights = group_weights(all, g);
    packed.emplace_back(
        context.kernels, all,
        ConvPart{g * group_outputs, group_outputs, tap_offsets.size(), depth, weights.data()});
  }
  const double weights = static_cast<double>(all.weights.size());
  const auto pixels = static_cast<double>(y.rows() * y.width);
  by_channels = groups == 1 && (weights > (256 << 10) || y.rows() < 8);
  const size_t panel = std::max<size_t>(context.kernels.conv_u8s8_panel, 64);
  const size_t panels = (group_outputs + panel - 1) / panel;
  const int64_t blocks = y.rows() * y.width / static_cast<int64_t>(context.kernels.conv_u8s8_pixels);
  chunks = context.cut(
      kFineChunks,
      product_nanoseconds(context.kernels, weights, pixels, pixels * static_cast<double>(y.channels)),
      by_channels ? static_cast<int64_t>(panels) : std::min(y.rows(), blocks));
  chunk_channels = (panels + chunks - 1) / chunks * panel;
  context.chunks = chunks;
  context.weights_packed = true;
}

/// A whole row of the kernel lies side by side in the image unless channels are left out or taps dilated.
void DenseConv::lay_out_taps(int64_t channels) {
  const WindowAxis &h = window.height(), &w = window.width();
  whole_rows = groups == 1 && w.dilation == 1 && x.pixel_stride == static_cast<size_t>(channels);
  depth = whole_rows ? group_channels * static_cast<size_t>(w.kernel) : group_channels;
  for (int64_t i = 0; i < h.kernel; ++i) {
    const size_t row = static_cast<size_t>(i * h.dilation) * x.row_stride;
    for (int64_t j = 0; j < (whole_rows ? 1 : w.kernel); ++j)
      tap_offsets.push_back(static_cast<int32_t>(row + static_cast<size_t>(j * w.dilation) * x.pixel_stride));
  }
}

/// Rows of the kernel outside the image add nothing where the code of 0 is 0: they are left out.
void DenseConv::find_row_taps() {
  const WindowAxis& h = window.height();
  const bool is_zero = std::all_of(x.border.begin(), x.border.end(), [](uint8_t code) { return code == 0; });
  if (!is_zero || h.pad_begin + h.pad_end == 0) return;
  const size_t taps_per_row = tap_offsets.size() / static_cast<size_t>(h.kernel);
  for (int64_t row = 0; row < h.out; ++row) {
    const auto first = static_cast<size_t>(h.first_tap(row)), last = static_cast<size_t>(h.last_tap(row));
    row_taps.push_back({first * taps_per_row, std::max(first, last) * taps_per_row});
  }
}

/// From [outputs][channels][kernel] to [outputs][taps][depth]: channels come last, as in the image.
std::vector<int8_t> DenseConv::group_weights(const ConvConstants& all, size_t group) const {
  const size_t kernel = static_cast<size_t>(window.kernel_size());
  std::vector<int8_t> result(group_outputs * kernel * group_channels);
  const int8_t* from = all.weights.data() + group * result.size();
  for (size_t o = 0; o < group_outputs; ++o)
    for (size_t t = 0; t < kernel; ++t)
      for (size_t c = 0; c < group_channels; ++c)
        result[(o * kernel + t) * group_channels + c] = from[(o * group_channels + c) * kernel + t];
  return result;
}

void DenseConv::run(const StepContext& context) const {
  ConvU8S8 call;
  call.tap_offsets = tap_offsets.data();
  call.x_pixel_stride = static_cast<size_t>(window.width().stride) * x.pixel_stride;
  call.x_row_stride = static_cast<size_t>(window.height().stride) * x.row_stride;
  call.y_pixel_stride = y.pixel_stride;
  call.y_row_stride = y.row_stride;
  call.width = static_cast<size_t>(y.width);
  call.channel_end = group_outputs;
  UnitRange rows{0, y.rows()};
  if (by_channels) {
    call.channel_begin = std::min(context.chunk_begin * chunk_channels, group_outputs);
    call.channel_end = std::min(context.chunk_end * chunk_channels, group_outputs);
  } else {
    rows = units_of(context, y.rows(), chunks);
  }
  for_each_image(rows, y.height, [&](int64_t image, int64_t row, int64_t count) {
    call.rows = static_cast<size_t>(count);
    call.row_taps = row_taps.empty() ? nullptr : row_taps.data() + row;
    run_block(context, image, row, call);
  });
  if (!by_channels || context.chunk_begin == 0) fill_border(y, y_data(context), rows.begin, rows.end);
}

void DenseConv::run_block(const StepContext& context, int64_t image, int64_t row, ConvU8S8 call) const {
  call.x = x_row(context, image, row);
  call.y = y_data(context) + y.row_offset(image * y.height + row);
  if (call.channel_begin >= call.channel_end) return;
  const EpilogueU8 behind = epilogue.at(context, image * y.height + row);
  if (!function) {
    call.epilogue = behind;
    return run_groups(context.kernels, call);
  }
  const size_t end = groups == 1 ? call.channel_end : groups * group_outputs;
  function.run(context, behind, call.y, {call.rows, call.channel_begin, end},
               [&](size_t first, size_t count, float* reals) {
                 ConvU8S8 part = call;
                 part.rows = count;
                 part.x += first * call.x_row_stride;
                 if (part.row_taps != nullptr) part.row_taps += first;
                 part.y = nullptr;
                 part.real = reals;
                 part.y_pixel_stride = function.pixel_reals();
                 part.y_row_stride = function.row_reals();
                 run_groups(context.kernels, part);
               });
}

void DenseConv::run_groups(const KernelTable& kernels, ConvU8S8 call) const {
  for (size_t g = 0; g < groups; ++g) {
    call.packed = packed[g].packed.bytes();
    kernels.conv_u8s8(call);
    call.x += group_channels;
    if (call.y != nullptr) call.y += group_outputs;
    if (call.real != nullptr) call.real += group_outputs;
    if (call.epilogue.b != nullptr) call.epilogue.b += group_outputs;
  }
}

struct DepthwiseConv : PixelConv {
  explicit DepthwiseConv(CompileContext& context);
  void run(const StepContext& context) const;

  Tensor packed;
};

DepthwiseConv::DepthwiseConv(CompileContext& context) : PixelConv(context) {
  const ConvConstants all = *conv_constants(context, operands_of(context.node, *context.constant(kW)));
  const DepthwiseWeightsU8S8 source{
      static_cast<size_t>(y.channels), static_cast<size_t>(window.height().kernel),
      static_cast<size_t>(window.width().kernel), all.weights.data(), all.requantize(0)};
  packed = Tensor(DataType::kU8, {static_cast<int64_t>(context.kernels.depthwise_u8s8_bytes(source))});
  context.kernels.depthwise_u8s8_pack(source, packed.mutable_bytes());
  const double macs = static_cast<double>(all.weights.size()) * static_cast<double>(y.rows() * y.width);
  chunks = context.cut(kFineChunks, macs / 30, y.rows());
  context.chunks = chunks;
  context.weights_packed = true;
}

void DepthwiseConv::run(const StepContext& context) const {
  const WindowAxis &h = window.height(), &w = window.width();
  DepthwiseU8S8 call;
  call.packed = packed.bytes();
  call.x_pixel_stride = x.pixel_stride;
  call.x_row_stride = x.row_stride;
  call.stride_h = static_cast<size_t>(h.stride);
  call.stride_w = static_cast<size_t>(w.stride);
  call.dilation_h = static_cast<size_t>(h.dilation);
  call.dilation_w = static_cast<size_t>(w.dilation);
  call.y_pixel_stride = y.pixel_stride;
  call.y_row_stride = y.row_stride;
  call.width = static_cast<size_t>(y.width);
  const UnitRange rows = units_of(context, y.rows(), chunks);
  for_each_image(rows, y.height, [&](int64_t image, int64_t row, int64_t count) {
    call.rows = static_cast<size_t>(count);
    call.x = x_row(context, image, row);
    call.y = y_data(context) + y.row_offset(image * y.height + row);
    const EpilogueU8 behind = epilogue.at(context, image * y.height + row);
    if (!function) {
      call.epilogue = behind;
      return context.kernels.depthwise_u8s8(call);
    }
    function.run(context, behind, call.y, {call.rows, 0, function.pixel_reals()},
                 [&](size_t first, size_t some, float* reals) {
                   DepthwiseU8S8 part = call;
                   part.rows = some;
                   part.x += first * call.stride_h * call.x_row_stride;
                   part.y = nullptr;
                   part.real = reals;
                   part.y_pixel_stride = function.pixel_reals();
                   part.y_row_stride = function.row_reals();
                   context.kernels.depthwise_u8s8(part);
                 });
  });
  fill_border(y, y_data(context), rows.begin, rows.end);
}

template <typename Conv>
StepFunction step_of(CompileContext& context) {
  const auto conv = std::make_shared<const Conv>(context);
  return [conv](const StepContext& run) { conv->run(run); };
}

/// Not of a constant image whose result is too large to be folded.
bool takes_fused_conv(const Graph& graph, const Node& node) {
  return is_u8_image(graph, node.inputs[0]) && is_u8_image(graph, node.outputs[0]);
}

/// The border that the kernel reads outside the image: codes of the image's zero point.
PixelSupport::Border pixel_conv_border(const Graph& graph, const Node& node) {
  const Window window = conv_window(node, *graph.value(node.inputs[kX]).shape,
                                    graph.value(node.inputs[kW]).initializer.shape());
  const auto behind = [](const WindowAxis& axis) {
    return std::max<int64_t>(axis.start(axis.out - 1) + axis.span() - axis.in, 0);
  };
  const WindowAxis &h = window.height(), &w = window.width();
  const std::vector<int32_t> zero_points = constant_params(graph, node, kXScale)->zero_point;
  return {{h.pad_begin, w.pad_begin, behind(h), behind(w)}, {zero_points.begin(), zero_points.end()}};
}

StepFunction compile_pixel_conv(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  return is_depthwise(context.node, context.shape(kW)) ? step_of<DepthwiseConv>(context)
                                                       : step_of<DenseConv>(context);
}

}  // namespace

bool is_pixel_conv(const Graph& graph, const Node& node) {
  if (!is_qlinear_conv(node)) return false;
  const Tensor* weights = graph.constant(node.input(kW));
  return weights != nullptr && is_image_kernel(weights->shape()) && is_u8_image(graph, node.inputs[kX]) &&
         is_u8_image(graph, node.outputs[0]) && has_conv_constants(graph, node, operands_of(node, *weights));
}

void add_pixel_conv_steps(std::vector<EngineForm>& forms) {
  forms.push_back(
      {.op_type = "FusedConv",
       .domain = kEngineDomain,
       .compile = compile_pixel_conv,
       .pixels = {
           .takes = takes_fused_conv, .border = pixel_conv_border, .overwrites = {kFusedConvResidual}}});
  forms.push_back({.op_type = "QLinearConv",
                   .domain = "",
                   .compile = compile_pixel_conv,
                   .pixels = {.takes = is_pixel_conv, .border = pixel_conv_border}});
}

}  // namespace quantize
