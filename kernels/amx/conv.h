// conv_u8s8 with tiles: blocks of 2 x 16 pixels times 32 channels, straight from the padded image. Weights,
// constants and what follows the sums are those of avx512vnni. Read conv() first, from the end of the file.
#pragma once

#include "kernels/amx/tiles.h"
#include "kernels/avx512vnni/conv.h"

namespace quantize {

namespace {

constexpr size_t kTilePixels = 16, kTileGroups = 16;  // rows of a tile of pixels and of one of weights

/// Tiles must have one shape, so a tap's run is cut into equal parts; weights of 0 fill the last one.
inline size_t steps_of(size_t groups) {
  return (groups + kTileGroups - 1) / kTileGroups;
}
inline size_t groups_per_step(size_t groups) {
  const size_t steps = steps_of(groups);
  return (groups + steps - 1) / steps;
}

/// How the pixels of a call become tiles: lines of `length` pixels, each cut into `per_line` tiles of `rows`.
/// If the image's pitch allows and it takes fewer tiles, all rows are one line, in which the pixels of the
/// borders are computed and not stored. The last tile of a line begins early enough to end with it.
struct Cut {
  size_t lines, length, pitch, rows, per_line;

  size_t tiles() const { return lines * per_line; }
  /// The first pixel of a tile within its line.
  size_t first(size_t tile) const {
    const size_t at = tile % per_line * rows;
    return at + rows <= length ? at : length - rows;
  }
  /// How many of its pixels the tile before it had already.
  size_t repeated(size_t tile) const { return tile % per_line * rows - first(tile); }
};

inline Cut cut_lines(size_t lines, size_t length, size_t pitch) {
  const size_t per_line = (length + kTilePixels - 1) / kTilePixels;
  return {lines, length, pitch, (length + per_line - 1) / per_line, per_line};
}

inline Cut cut_of(const ConvU8S8& call) {
  const Cut by_row = cut_lines(call.rows, call.width, call.width);
  if (call.x_pixel_stride == 0 || call.x_row_stride % call.x_pixel_stride != 0) return by_row;
  const size_t pitch = call.x_row_stride / call.x_pixel_stride;
  if (call.rows <= 1 || pitch < call.width) return by_row;
  const Cut flat = cut_lines(1, (call.rows - 1) * pitch + call.width, pitch);
  return flat.tiles() < by_row.tiles() ? flat : by_row;
}

inline const uint8_t* pixels_of(const ConvU8S8& call, const Cut& cut, size_t tile) {
  return call.x + tile / cut.per_line * call.x_row_stride + cut.first(tile) * call.x_pixel_stride;
}

/// The channels of one panel.
struct Panel {
  const ConvHeader* header;
  const PanelConstants* constants;  // the weights follow
  size_t index, channels;
};

inline Panel panel_of(const ConvU8S8& call, size_t index) {
  const auto& header = *static_cast<const ConvHeader*>(call.packed);
  const auto* panels = reinterpret_cast<const uint8_t*>(&header + 1);
  return {&header, reinterpret_cast<const PanelConstants*>(panels + ConvLevel::bytes_before(header, index)),
          index, panel_channels(header, index)};
}

/// One or two tiles of pixels times the 16 or 32 channels from vector `first` on, left in the registers of
/// the sums.
template <int kTiles, int kColumns, int kVectors>
[[gnu::always_inline]] inline void multiply_tiles(const ConvU8S8& call, const Panel& panel, const uint8_t* x0,
                                                  const uint8_t* x1, size_t first) {
  const int32_t* bias = panel.constants->bias + first * kLanes;
  const auto* w = reinterpret_cast<const int8_t*>(panel.constants + 1) + first * 64;
  const size_t groups = panel.header->groups, steps = steps_of(groups),
               step_bytes = 4 * groups_per_step(groups), stride = call.x_pixel_stride;
  tile_load<0>(bias, 0);
  if constexpr (kColumns == 2) tile_load<1>(bias + kLanes, 0);
  if constexpr (kTiles == 2) tile_load<2>(bias, 0);
  if constexpr (kTiles == 2 && kColumns == 2) tile_load<3>(bias + kLanes, 0);
  for (size_t t = 0; t < panel.header->taps; ++t) {
    const ptrdiff_t offset = call.tap_offsets[t];
    const uint8_t *p0 = x0 + offset, *p1 = x1 + offset;
    for (size_t s = 0; s < steps; ++s) {
      tile_load<6>(w, kVectors * 64);
      tile_load<4>(p0, stride);
      tile_dot<0, 4, 6>();
      if constexpr (kColumns == 2) {
        tile_load<7>(w + 64, kVectors * 64);
        tile_dot<1, 4, 7>();
      }
      if constexpr (kTiles == 2) {
        tile_load<5>(p1, stride);
        tile_dot<2, 5, 6>();
        if constexpr (kColumns == 2) tile_dot<3, 5, 7>();
      }
      w += step_bytes * kVectors * 16;
      p0 += step_bytes;
      p1 += step_bytes;
    }
  }
}

/// The sums of two tiles of pixels and one panel: [tile][pixel][vector][lane].
struct alignas(64) BlockSums {
  int32_t at[2][kTilePixels][kPanel];
};

/// A block whose sums have yet to become codes, while the tiles of the next one are multiplied.
struct Pending {
  Panel panel;
  size_t tile = 0, tiles = 0;  // the first tile of pixels, and how many
  const BlockSums* sums = nullptr;
};

template <Mode kMode, int kVectors, int kPixels>
[[gnu::always_inline]] inline void store_some(const Tile& tile, const int32_t* sums) {
  Sums<kPixels, kVectors> block;
  for (int m = 0; m < kPixels; ++m)
    for (int j = 0; j < kVectors; ++j)
      block.v[m][j] = _mm512_load_si512(sums + static_cast<size_t>(m) * kPanel + 16 * j);
  store_tile<kMode>(tile, block);
}

/// Pixels that lie side by side in a row of the output.
template <Mode kMode, int kVectors>
void store_run(Tile tile, const int32_t* sums, size_t pixels) {
  constexpr size_t kAtOnce = kVectors == 1 ? 4 : 2;
  uint8_t* y = tile.y;
  size_t left = pixels;
  const auto advance = [&](size_t n) {
    sums += n * kPanel;
    tile.move_outputs(n);
  };
  for (; left >= kAtOnce; left -= kAtOnce, advance(kAtOnce)) store_some<kMode, kVectors, kAtOnce>(tile, sums);
  for (; left > 0; --left, advance(1)) store_some<kMode, kVectors, 1>(tile, sums);
  const ConvU8S8& call = *tile.call;
  if (kMode == Mode::kFull && call.real != nullptr) return;
  if (call.epilogue.table != nullptr)
    look_up({y, y, pixels, tile.channels, call.y_pixel_stride, call.y_pixel_stride, call.epilogue.table});
}

/// Tile `i` of the block becomes codes, but for what lies in borders or was stored before.
template <Mode kMode, int kVectors>
void store_pixels(const ConvU8S8& call, const Cut& cut, const Pending& block, size_t i) {
  const size_t tile = block.tile + i, begin = cut.first(tile), channel = block.panel.index * kPanel;
  size_t row = tile / cut.per_line, p = begin + cut.repeated(tile);
  row += p / cut.pitch;
  size_t column = p % cut.pitch;
  while (p < begin + cut.rows) {
    const size_t left = begin + cut.rows - p, until = cut.pitch - column, n = left < until ? left : until;
    if (column < call.width) {
      const size_t wanted = call.width - column,
                   y = row * call.y_row_stride + column * call.y_pixel_stride + channel;
      const Tile to{&call,
                    block.panel.header,
                    block.panel.constants,
                    block.panel.channels,
                    {},
                    nullptr,
                    simd::moved(call.y, y),
                    simd::moved(call.real, y),
                    simd::moved(call.epilogue.b, row * call.epilogue.b_row_stride +
                                                     column * call.epilogue.b_pixel_stride + channel)};
      store_run<kMode, kVectors>(to, block.sums->at[i][p - begin], n < wanted ? n : wanted);
    }
    p += n;
    ++row;
    column = 0;
  }
}

using StoreFunction = void (*)(const ConvU8S8&, const Cut&, const Pending&, size_t);

template <int kVectors>
StoreFunction store_function(Mode mode) {
  static constexpr StoreFunction kByMode[] = {
      store_pixels<Mode::kPlain, kVectors>, store_pixels<Mode::kJoin, kVectors>,
      store_pixels<Mode::kAdd, kVectors>, store_pixels<Mode::kAddToResidual, kVectors>,
      store_pixels<Mode::kFull, kVectors>};
  return kByMode[static_cast<size_t>(mode)];
}

inline StoreFunction store_function(Mode mode, size_t channels) {
  const size_t vectors = vectors_of(channels);
  if (vectors == 4) return store_function<4>(mode);
  return vectors == 2 ? store_function<2>(mode) : store_function<1>(mode);
}

/// The blocks of a call, one after the other: while one is multiplied, the one before it is stored.
class Blocks {
 public:
  Blocks(const ConvU8S8& call, const Cut& cut, Mode mode) : call_(call), cut_(cut), mode_(mode) {}

  /// Tile `tile` of pixels and the one behind it, if there is one.
  void run(const Panel& panel, size_t tile) {
    const size_t vectors = vectors_of(panel.channels), left = cut_.tiles() - tile;
    const Pending block{panel, tile, left < 2 ? left : 2, &sums_[turn_]};
    if (vectors == 4)
      multiply<4>(block);
    else if (vectors == 2)
      multiply<2>(block);
    else
      multiply<1>(block);
    before_ = block;
    turn_ ^= 1;
  }

  void finish() {
    store_before(0);
    store_before(1);
  }

 private:
  template <int kVectors>
  void multiply(const Pending& block) {
    if (block.tiles == 2)
      multiply<2, kVectors>(block);
    else
      multiply<1, kVectors>(block);
  }

  template <int kTiles, int kVectors>
  void multiply(const Pending& block) {
    constexpr int kColumns = kVectors == 1 ? 1 : 2;
    constexpr size_t kPitch = sizeof sums_[0].at[0][0];
    const uint8_t* x0 = pixels_of(call_, cut_, block.tile);
    const uint8_t* x1 = pixels_of(call_, cut_, block.tile + kTiles - 1);
    for (size_t first = 0; first < kVectors; first += kColumns) {
      multiply_tiles<kTiles, kColumns, kVectors>(call_, block.panel, x0, x1, first);
      if (first == 0) store_before(0);
      if (first + kColumns == kVectors) store_before(1);
      int32_t *to0 = &sums_[turn_].at[0][0][first * kLanes], *to1 = &sums_[turn_].at[1][0][first * kLanes];
      tile_store<0>(to0, kPitch);
      if constexpr (kColumns == 2) tile_store<1>(to0 + kLanes, kPitch);
      if constexpr (kTiles == 2) tile_store<2>(to1, kPitch);
      if constexpr (kTiles == 2 && kColumns == 2) tile_store<3>(to1 + kLanes, kPitch);
    }
  }

  void store_before(size_t i) {
    if (i < before_.tiles) store_function(mode_, before_.panel.channels)(call_, cut_, before_, i);
  }

  const ConvU8S8& call_;
  const Cut& cut_;
  Mode mode_;
  Pending before_;
  BlockSums sums_[2];
  size_t turn_ = 0;
};

inline void configure_tiles(const Cut& cut, size_t groups) {
  const size_t k = groups_per_step(groups);
  TileShapes shapes;
  for (int sum = 0; sum < 4; ++sum) shapes.set(sum, cut.rows, 64);
  for (int x = 4; x < 6; ++x) shapes.set(x, cut.rows, 4 * k);
  for (int w = 6; w < 8; ++w) shapes.set(w, k, 64);
  tile_configure(shapes);
}

inline void conv_in_tiles(const ConvU8S8& call, const Cut& cut) {
  const auto& header = *static_cast<const ConvHeader*>(call.packed);
  const size_t begin = call.channel_begin / kPanel, end = (call.channel_end + kPanel - 1) / kPanel;
  configure_tiles(cut, header.groups);
  Blocks blocks(call, cut, ConvLevel::mode_of(call, header));
  const size_t weights = ConvLevel::bytes_before(header, end) - ConvLevel::bytes_before(header, begin);
  if (weights > simd::kCachedWeights) {
    for (size_t p = begin; p < end; ++p)
      for (size_t t = 0; t < cut.tiles(); t += 2) blocks.run(panel_of(call, p), t);
  } else {
    for (size_t t = 0; t < cut.tiles(); t += 2)
      for (size_t p = begin; p < end; ++p) blocks.run(panel_of(call, p), t);
  }
  blocks.finish();
  tile_release();
}

/// A few pixels cost tiles as much as sixteen, and few products do not pay for the way through memory.
constexpr size_t kFewestPixels = 4, kFewestGroups = 16;

inline void conv(const ConvU8S8& call) noexcept {
  if (call.rows == 0 || call.width == 0) return;
  const auto& header = *static_cast<const ConvHeader*>(call.packed);
  const Cut cut = cut_of(call);
  if (cut.rows < kFewestPixels || header.groups * header.taps < kFewestGroups)
    return simd::conv<ConvLevel>(call, look_up);
  conv_in_tiles(call, cut);
}

/// Weights are packed for tiles; avx512vnni's loops skip what fills the last step.
inline size_t conv_bytes_for_tiles(const ConvWeightsU8S8& w) noexcept {
  return conv_bytes(w, steps_of(groups_of(w)) * groups_per_step(groups_of(w)));
}

inline void conv_pack_for_tiles(const ConvWeightsU8S8& w, void* packed) noexcept {
  conv_pack(w, steps_of(groups_of(w)) * groups_per_step(groups_of(w)), packed);
}

}  // namespace

}  // namespace quantize
