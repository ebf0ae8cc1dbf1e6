// Read WinogradConv::run_block() first: transform a band of the image, multiply point by point, transform back.
#include "core/engine/steps/winograd_conv.h"

#include <algorithm>

namespace quantize {

namespace {

// Floats that the transformed images of a band should take: about a second-level cache.
constexpr size_t kBandFloats = 256 * 1024;
// Tiles of a band that make up for reading all weights once more.
constexpr size_t kLeastTiles = 48;
// Output channels that are multiplied before they are transformed back.
constexpr size_t kBlockOutputs = 64;

constexpr size_t rounded_up(size_t n) {
  return (n + kWinogradSpare - 1) / kWinogradSpare * kWinogradSpare;
}

struct WinogradConv {
  WinogradConv(const FloatConvShape& conv, int tile_side, CompileContext& context);
  void pack_weights(const float* weights);
  void split(CompileContext& context);
  void run(const StepContext& context) const;

  /// Some rows of tiles and some panels of output channels of a part, which is one group of one image.
  struct Block {
    int64_t part;
    UnitRange rows, panels;
  };
  /// Output channels of a group.
  struct Outputs {
    size_t first, count;
  };
  void run_block(const StepContext& context, const Block& block) const;
  void transform_inputs(const StepContext& context, const Block& block, float* v, float* scratch) const;
  void multiply(const Block& block, Outputs outputs, const float* v, float* m) const;
  void transform_outputs(const StepContext& context, const Block& block, Outputs outputs, const float* m,
                         float* scratch) const;

  size_t points() const { return static_cast<size_t>((tile + 2) * (tile + 2)); }

  FloatConvShape shape;
  int tile;
  size_t tiles, tile_rows;     // of an image: in a row, and rows
  size_t band_rows;            // rows of tiles that are transformed at a time
  size_t pitch;                // floats from one channel of a transformed band to the next
  size_t v_floats, m_floats;   // of all points of the transformed inputs, and of the products
  GemmForm form;               // of the products of one point
  size_t point_weights;        // floats of one point's packed weights
  size_t block_outputs;        // multiplied at a time, a multiple of form.panel
  std::vector<size_t> b_rows;  // of the channels
  Tensor packed;               // [group][point][panels of output channels]
  bool cut_rows = false;       // for threads: rows of tiles are shared, else panels
  int64_t blocks = 1;
  size_t chunks = 1;
};

WinogradConv::WinogradConv(const FloatConvShape& conv, int tile_side, CompileContext& context)
    : shape(conv), tile(tile_side) {
  const auto side = static_cast<size_t>(tile);
  const auto tiles_of = [&](const WindowAxis& axis) {
    return (static_cast<size_t>(axis.out) + side - 1) / side;
  };
  tiles = tiles_of(shape.window.width());
  tile_rows = tiles_of(shape.window.height());
  const auto channels = static_cast<size_t>(shape.channels), outputs = static_cast<size_t>(shape.outputs);
  const size_t wanted = std::max(kLeastTiles, kBandFloats / (points() * (channels + kBlockOutputs)));
  const size_t bands =
      (tile_rows + std::max<size_t>(wanted / tiles, 1) - 1) / std::max<size_t>(wanted / tiles, 1);
  band_rows = (tile_rows + bands - 1) / bands;
  const size_t band = band_rows * tiles;
  pitch = rounded_up(band);
  v_floats = points() * (channels * pitch + kWinogradSpare);
  form = gemm_form(context.kernels, outputs, band, channels, band);
  block_outputs = std::max<size_t>(kBlockOutputs / form.panel, 1) * form.panel;
  m_floats = points() * (block_outputs * pitch + kWinogradSpare);
  for (size_t c = 0; c < channels; ++c) b_rows.push_back(c * pitch);
  point_weights = packed_panels_bytes(form.panel, outputs, channels) / sizeof(float);
  pack_weights(context.constant(1)->data<float>());
  context.weights_packed = true;
  context.scratch_bytes = (v_floats + m_floats + winograd_scratch(tile, tiles, band_rows)) * sizeof(float);
  split(context);
}

void WinogradConv::pack_weights(const float* weights) {
  const auto channels = static_cast<size_t>(shape.channels), outputs = static_cast<size_t>(shape.outputs);
  const size_t matrix = channels * outputs;
  packed = Tensor(DataType::kF32, {shape.group, static_cast<int64_t>(points() * point_weights)});
  float* target = packed.mutable_data<float>();
  std::vector<float> transformed(points() * matrix);
  for (int64_t g = 0; g < shape.group; ++g, weights += matrix * 9) {
    for (size_t i = 0; i < matrix; ++i)
      winograd_weights(tile, weights + i * 9, transformed.data() + i, matrix);
    for (size_t p = 0; p < points(); ++p, target += point_weights)
      pack_panels_f32(form.panel, {transformed.data() + p * matrix, outputs, channels, channels}, target);
  }
}

/// Bands if there are enough of them, else panels, for each of which the whole image is transformed.
void WinogradConv::split(CompileContext& context) {
  const int64_t parts = shape.images * shape.group;
  const auto panels =
      static_cast<int64_t>((static_cast<size_t>(shape.outputs) + form.panel - 1) / form.panel);
  const auto rows = static_cast<int64_t>(tile_rows);
  cut_rows = rows >= static_cast<int64_t>(2 * band_rows) || panels < 2 * context.threads;
  const int64_t units = cut_rows ? rows : panels;
  const double macs = static_cast<double>(points() * tiles * tile_rows) *
                      static_cast<double>(shape.channels) * static_cast<double>(shape.outputs) *
                      static_cast<double>(parts);
  const auto wanted = static_cast<int64_t>(context.cut(kCoarseChunks, macs / 50, parts * units));
  blocks = std::clamp<int64_t>((wanted + parts - 1) / std::max<int64_t>(parts, 1), 1, units);
  chunks = context.chunks = wanted == 1 ? 1 : static_cast<size_t>(parts * blocks);
}

void WinogradConv::run(const StepContext& context) const {
  const auto [begin, end] = units_of(context, shape.images * shape.group * blocks, chunks);
  const auto panels =
      static_cast<int64_t>((static_cast<size_t>(shape.outputs) + form.panel - 1) / form.panel);
  const auto rows = static_cast<int64_t>(tile_rows), step = static_cast<int64_t>(band_rows);
  for (int64_t part = begin / blocks; part * blocks < end; ++part) {
    const int64_t first = std::max<int64_t>(begin - part * blocks, 0),
                  last = std::min(end - part * blocks, blocks);
    const auto cut = [&](bool cuts, int64_t units) {
      return cuts ? UnitRange{units * first / blocks, units * last / blocks} : UnitRange{0, units};
    };
    const UnitRange my_rows = cut(cut_rows, rows), my_panels = cut(!cut_rows, panels);
    for (int64_t row = my_rows.begin; row < my_rows.end; row += step)
      run_block(context, {part, {row, std::min(row + step, my_rows.end)}, my_panels});
  }
}

/// A band of rows of tiles and some panels of output channels, of one group of one image.
void WinogradConv::run_block(const StepContext& context, const Block& block) const {
  auto* v = reinterpret_cast<float*>(context.scratch.data());
  float* m = v + v_floats;
  float* scratch = m + m_floats;
  transform_inputs(context, block, v, scratch);
  const size_t last =
      std::min(static_cast<size_t>(block.panels.end) * form.panel, static_cast<size_t>(shape.outputs));
  for (size_t first = static_cast<size_t>(block.panels.begin) * form.panel; first < last;
       first += block_outputs) {
    const size_t count = std::min(block_outputs, last - first);
    multiply(block, {first, count}, v, m);
    transform_outputs(context, block, {first, count}, m, scratch);
  }
}

void WinogradConv::transform_inputs(const StepContext& context, const Block& block, float* v,
                                    float* scratch) const {
  const WindowAxis &h = shape.window.height(), &w = shape.window.width();
  WinogradInputF32 call{.tile = tile,
                        .height = static_cast<size_t>(h.in),
                        .width = static_cast<size_t>(w.in),
                        .pad_top = static_cast<size_t>(h.pad_begin),
                        .pad_left = static_cast<size_t>(w.pad_begin),
                        .tiles = tiles,
                        .first_row = static_cast<size_t>(block.rows.begin),
                        .last_row = static_cast<size_t>(block.rows.end),
                        .v_stride = v_floats / points(),
                        .scratch = scratch};
  const float* x = context.inputs[0].as<float>() + block.part * shape.channels * shape.in_size;
  for (int64_t c = 0; c < shape.channels; ++c) {
    call.x = x + c * shape.in_size;
    call.v = v + static_cast<size_t>(c) * pitch;
    context.kernels.winograd_input_f32(call);
  }
}

void WinogradConv::multiply(const Block& block, Outputs outputs, const float* v, float* m) const {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const auto channels = static_cast<size_t>(shape.channels);
  GemmF32 product;
  product.m = outputs.count;
  product.n = product.segment = static_cast<size_t>(block.rows.end - block.rows.begin) * tiles;
  product.k = channels;
  product.b_rows = b_rows.data();
  product.ldc = pitch;
  product.low = -kInf;
  product.high = kInf;
  const float* weights =
      packed.data<float>() + static_cast<size_t>(block.part % shape.group) * points() * point_weights;
  for (size_t p = 0; p < points(); ++p) {
    product.a = weights + p * point_weights + outputs.first * channels;
    product.b = v + p * (v_floats / points());
    product.c = m + p * (m_floats / points());
    form.run(product);
  }
}

void WinogradConv::transform_outputs(const StepContext& context, const Block& block, Outputs outputs,
                                     const float* m, float* scratch) const {
  const WindowAxis &h = shape.window.height(), &w = shape.window.width();
  WinogradOutputF32 call{.tile = tile,
                         .m_stride = m_floats / points(),
                         .height = static_cast<size_t>(h.out),
                         .width = static_cast<size_t>(w.out),
                         .tiles = tiles,
                         .first_row = static_cast<size_t>(block.rows.begin),
                         .last_row = static_cast<size_t>(block.rows.end),
                         .low = shape.low,
                         .high = shape.high,
                         .scratch = scratch};
  const TensorView bias = context.input(2);
  const size_t group_outputs = static_cast<size_t>(block.part % shape.group * shape.outputs);
  for (size_t i = 0; i < outputs.count; ++i) {
    const size_t at = (static_cast<size_t>(block.part * shape.outputs) + outputs.first + i) *
                      static_cast<size_t>(shape.out_size);
    call.m = m + i * pitch;
    call.y = context.outputs[0].as<float>() + at;
    if (bias) call.bias = bias.as<float>()[group_outputs + outputs.first + i];
    if (shape.adds) call.addend = context.inputs[kConvAddend].as<float>() + at;
    context.kernels.winograd_output_f32(call);
  }
}

}  // namespace

int winograd_tile(const FloatConvShape& shape) {
  const auto fits = [](const WindowAxis& axis) {
    return axis.kernel == 3 && axis.stride == 1 && axis.dilation == 1;
  };
  const WindowAxis &h = shape.window.height(), &w = shape.window.width(), &d = shape.window.depth();
  if (!fits(h) || !fits(w) || d.in != 1 || d.out != 1 || d.kernel != 1) return 0;
  // Nanoseconds, for each image: products, transforms, and weights that come from memory.
  const auto channels = static_cast<double>(shape.channels), outputs = static_cast<double>(shape.outputs);
  const auto cost = [&](double weights, double numbers, double transform) {
    constexpr double kProducts = 110, kWeights = 5;  // a nanosecond
    return weights * channels * outputs * (numbers / kProducts + 1 / kWeights) +
           numbers * transform * (channels + outputs);
  };
  int best = 0;
  constexpr double kGain = 0.9;  // of the time is worth weights that take more memory
  double least = kGain * cost(9, static_cast<double>(shape.out_size), 0);
  for (const int tile : {2, 4}) {
    const auto tiles = static_cast<double>((h.out + tile - 1) / tile * ((w.out + tile - 1) / tile));
    const double cost_of_tile = cost((tile + 2) * (tile + 2), tiles, tile == 2 ? 1.5 : 4.5);
    if (cost_of_tile < least) {
      least = cost_of_tile;
      best = tile;
    }
  }
  return best;
}

StepFunction compile_winograd(const FloatConvShape& shape, int tile, CompileContext& context) {
  const auto conv = std::make_shared<const WinogradConv>(shape, tile, context);
  return [conv](const StepContext& run) { conv->run(run); };
}

}  // namespace quantize
