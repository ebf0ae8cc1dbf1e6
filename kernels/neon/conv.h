// conv_u8s8 for the levels of AArch64: tiles of up to 4 pixels x 16 channels. `Dot` is how a level multiplies
// (product.h of each). Read simd/conv.h first, then run_tile().
#pragma once

#include "kernels/neon/requantize.h"
#include "kernels/simd/conv.h"

namespace quantize {

namespace {

struct alignas(64) ConvHeader {
  size_t channels, taps, groups;  // groups: dwords of a tap's run
};

/// Where a panel's parts lie: constants, corrections, weights.
template <typename Dot>
struct ConvLayout {
  /// Corrections of the taps before each, and of all: what the inputs' offset must add to the sums.
  static size_t corrections(const ConvHeader& h) { return Dot::kOffset == 0 ? 0 : (h.taps + 1) * kPanel; }
  static size_t panel_bytes(const ConvHeader& h) {
    return sizeof(PanelConstants) + corrections(h) * sizeof(int32_t) + h.taps * h.groups * kPanel * 4;
  }
  static size_t conv_bytes(const ConvWeightsU8S8& w) noexcept {
    return sizeof(ConvHeader) + (w.out_channels + kPanel - 1) / kPanel * panel_bytes(header_of(w));
  }
  static ConvHeader header_of(const ConvWeightsU8S8& w) {
    return {w.out_channels, w.taps, (w.depth + 3) / 4};
  }

  static void conv_pack(const ConvWeightsU8S8& w, void* packed) noexcept {
    __builtin_memset(packed, 0, conv_bytes(w));
    auto& header = *static_cast<ConvHeader*>(packed);
    header = header_of(w);
    auto* at = reinterpret_cast<uint8_t*>(&header + 1);
    for (size_t first = 0; first < w.out_channels; first += kPanel, at += panel_bytes(header)) {
      const size_t left = w.out_channels - first, count = left < kPanel ? left : kPanel;
      auto& constants = *reinterpret_cast<PanelConstants*>(at);
      pack_constants(w.requantize, first, count, constants);
      auto* sums = reinterpret_cast<uint32_t*>(&constants + 1);
      auto* weights = reinterpret_cast<int8_t*>(sums + corrections(header));
      for (size_t c = 0; c < count; ++c) pack_channel(w, header, first + c, c, sums, weights);
    }
  }

 private:
  static void pack_channel(const ConvWeightsU8S8& w, const ConvHeader& h, size_t channel, size_t slot,
                           uint32_t* sums, int8_t* weights) {
    const int8_t* from = w.weights + channel * w.taps * w.depth;
    uint32_t sum = 0;
    for (size_t t = 0; t < w.taps; ++t) {
      for (size_t k = 0; k < w.depth; ++k, ++from) {
        weights[(t * h.groups + k / 4) * kPanel * 4 + Dot::index(slot, k % 4)] = *from;
        sum += static_cast<uint32_t>(Dot::kOffset * *from);
      }
      if (Dot::kOffset != 0) sums[(t + 1) * kPanel + slot] = sum;
    }
  }
};

using Tile = simd::ConvTile<ConvHeader, PanelConstants>;

template <typename Dot, int kPixels>
[[gnu::always_inline]] inline void start_sums(const Tile& tile, PixelSums (&sums)[kPixels]) {
  const auto* before = reinterpret_cast<const int32_t*>(tile.constants + 1);
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    int32x4_t start = vld1q_s32(tile.constants->bias + 4 * j);
    if (Dot::kOffset != 0)
      start = vaddq_s32(start, vsubq_s32(vld1q_s32(before + tile.taps.end * kPanel + 4 * j),
                                         vld1q_s32(before + tile.taps.begin * kPanel + 4 * j)));
#pragma GCC unroll 4
    for (int m = 0; m < kPixels; ++m) sums[m].v[j] = start;
  }
}

/// One dword of each pixel, which stands in lane kLane.
template <typename Dot, int kLane, int kPixels>
[[gnu::always_inline]] inline void multiply_group(const typename Dot::Inputs (&x)[kPixels], const int8_t* w,
                                                  PixelSums (&sums)[kPixels]) {
  const typename Dot::Weights weights(w);
#pragma GCC unroll 4
  for (int m = 0; m < kPixels; ++m) Dot::template multiply<kLane>(sums[m], x[m], weights);
}

template <typename Dot, int kPixels>
[[gnu::always_inline]] inline void multiply(const Tile& tile, PixelSums (&sums)[kPixels]) {
  const size_t groups = tile.header->groups, stride = tile.call->x_pixel_stride;
  const auto* w = reinterpret_cast<const int8_t*>(tile.constants + 1) +
                  ConvLayout<Dot>::corrections(*tile.header) * sizeof(int32_t) +
                  tile.taps.begin * groups * kPanel * 4;
  typename Dot::Inputs x[kPixels];
  for (size_t t = tile.taps.begin; t < tile.taps.end; ++t) {
    const uint8_t* from = tile.x + tile.call->tap_offsets[t];
    size_t g = 0;
    for (; g + Dot::kGroups <= groups; g += Dot::kGroups, from += 4 * Dot::kGroups) {
#pragma GCC unroll 4
      for (size_t m = 0; m < kPixels; ++m) x[m] = Dot::inputs(from + m * stride);
      multiply_group<Dot, 0>(x, w, sums);
      multiply_group<Dot, 1>(x, w + 64, sums);
      if constexpr (Dot::kGroups == 4) {
        multiply_group<Dot, 2>(x, w + 128, sums);
        multiply_group<Dot, 3>(x, w + 192, sums);
      }
      w += 64 * Dot::kGroups;
    }
    for (; g < groups; ++g, from += 4, w += 64) {
#pragma GCC unroll 4
      for (size_t m = 0; m < kPixels; ++m) x[m] = Dot::one_group(from + m * stride);
      multiply_group<Dot, 0>(x, w, sums);
    }
  }
}

template <typename Dot, int kPixels>
[[gnu::noinline]] void run_tile(const Tile& tile) {
  PixelSums sums[kPixels];
  start_sums<Dot>(tile, sums);
  multiply<Dot>(tile, sums);
  const EpilogueU8& e = tile.call->epilogue;
#pragma GCC unroll 4
  for (size_t m = 0; m < kPixels; ++m) {
    if (tile.real != nullptr) {
      store_reals(tile.real + m * tile.call->y_pixel_stride, tile.channels, sums[m], *tile.constants);
      continue;
    }
    const uint8_t* b = tile.b == nullptr ? nullptr : tile.b + m * e.b_pixel_stride;
    store_bytes(tile.y + m * tile.call->y_pixel_stride, tile.channels,
                finished(sums[m], *tile.constants, b, tile.channels, e));
  }
}

/// The parts of a level that simd::conv uses.
template <typename Dot>
struct ConvLevel {
  static constexpr size_t kChannels = kPanel;
  using Header = ConvHeader;
  using Panel = PanelConstants;
  struct Mode {};
  static Mode mode_of(const ConvU8S8&, const ConvHeader&) { return {}; }
  static size_t bytes_before(const ConvHeader& h, size_t panels) {
    return panels * ConvLayout<Dot>::panel_bytes(h);
  }
  static size_t most_pixels(size_t) { return 4; }
  static void run(const Tile& tile, size_t pixels, Mode) {
    static constexpr void (*kFunctions[])(const Tile&) = {run_tile<Dot, 1>, run_tile<Dot, 2>,
                                                          run_tile<Dot, 3>, run_tile<Dot, 4>};
    kFunctions[pixels - 1](tile);
  }
};

}  // namespace

}  // namespace quantize
