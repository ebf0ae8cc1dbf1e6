// The loops of an integer convolution around the tiles of a level. Read conv() first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/integer.h"

namespace quantize::simd {

template <typename T>
[[gnu::always_inline]] inline T* moved(T* base, size_t by) {
  return base == nullptr ? base : base + by;
}

/// Some pixels of a row and the channels of one panel.
template <typename Header, typename Panel>
struct ConvTile {
  const ConvU8S8* call;
  const Header* header;
  const Panel* constants;  // the panel's weights follow
  size_t channels;         // of the panel that exist
  TapRange taps;           // of the row
  const uint8_t* x;        // first pixel, tap 0
  uint8_t* y;              // first pixel, first channel of the panel
  float* real;
  const uint8_t* b;

  /// On to what stands `pixels` further: results and residual, not x.
  void move_outputs(size_t pixels) {
    y = moved(y, pixels * call->y_pixel_stride);
    real = moved(real, pixels * call->y_pixel_stride);
    b = moved(b, pixels * call->epilogue.b_pixel_stride);
  }
};

/// One row of one panel, in tiles of nearly one width, then the table.
template <typename Level, typename Look>
void conv_row(const ConvU8S8& call, size_t panel, size_t row, typename Level::Mode mode, Look look_up) {
  const auto& header = *static_cast<const typename Level::Header*>(call.packed);
  const auto* panels = reinterpret_cast<const uint8_t*>(&header + 1);
  const size_t first = panel * Level::kChannels, left = header.channels - first;
  const EpilogueU8& e = call.epilogue;
  ConvTile<typename Level::Header, typename Level::Panel> tile{
      &call,
      &header,
      reinterpret_cast<const typename Level::Panel*>(panels + Level::bytes_before(header, panel)),
      left < Level::kChannels ? left : Level::kChannels,
      call.row_taps == nullptr ? TapRange{0, header.taps} : call.row_taps[row],
      call.x + row * call.x_row_stride,
      moved(call.y, row * call.y_row_stride + first),
      moved(call.real, row * call.y_row_stride + first),
      moved(e.b, row * e.b_row_stride + first)};
  const size_t most = Level::most_pixels(tile.channels), tiles = (call.width + most - 1) / most;
  for (size_t i = 0; i < tiles; ++i) {
    const size_t pixels = call.width / tiles + (i < call.width % tiles ? 1 : 0);
    Level::run(tile, pixels, mode);
    tile.x += pixels * call.x_pixel_stride;
    tile.move_outputs(pixels);
  }
  if (e.table == nullptr || call.real != nullptr) return;
  uint8_t* y = tile.y - call.width * call.y_pixel_stride;
  look_up(TableU8{y, y, call.width, tile.channels, call.y_pixel_stride, call.y_pixel_stride, e.table});
}

/// Weights that do not fit in half of the L2 cache are read once for all rows; else a row's pixels are read
/// once for all channels.
constexpr size_t kCachedWeights = size_t{512} << 10;

template <typename Level, typename Look>
void conv(const ConvU8S8& call, Look look_up) {
  const auto& header = *static_cast<const typename Level::Header*>(call.packed);
  const typename Level::Mode mode = Level::mode_of(call, header);
  const size_t first = call.channel_begin / Level::kChannels,
               end = (call.channel_end + Level::kChannels - 1) / Level::kChannels;
  const size_t weights = Level::bytes_before(header, end) - Level::bytes_before(header, first);
  if (weights > kCachedWeights) {
    for (size_t p = first; p < end; ++p)
      for (size_t r = 0; r < call.rows; ++r) conv_row<Level>(call, p, r, mode, look_up);
  } else {
    for (size_t r = 0; r < call.rows; ++r)
      for (size_t p = first; p < end; ++p) conv_row<Level>(call, p, r, mode, look_up);
  }
}

}  // namespace quantize::simd
