// conv_u8s8 with the 256-bit vpdpbusd of AVX-VNNI: bytes are exact whatever the weights.
// Read avx2/conv_tile.h first, then DotProduct.
#pragma once

#include "kernels/avx2/conv_tile.h"

// Without the prefix the assembler takes the encoding of AVX-512; the tests ask for that, see
// tests/tests.cmake.
#ifdef QUANTIZE_AVXVNNI_AS_EVEX
#define QUANTIZE_VPDPBUSD "vpdpbusd"
#else
#define QUANTIZE_VPDPBUSD "%{vex%} vpdpbusd"
#endif

namespace quantize {

namespace {

/// sum += the four products of bytes in each dword. In asm, since GCC 12 spills such sums of intrinsics.
[[gnu::always_inline]] inline void dot(__m256i& sum, __m256i pixel, __m256i weights) {
  asm(QUANTIZE_VPDPBUSD " %2, %1, %0" : "+x"(sum) : "x"(pixel), "x"(weights));
}

template <int kPixels>
[[gnu::always_inline]] inline void multiply(const Tile& tile, const Part& part, PixelSums (&sums)[kPixels]) {
  const size_t stride = tile.call->x_pixel_stride, groups = tile.header->groups;
  const auto* w = reinterpret_cast<const int8_t*>(part.constants + 1) + tile.taps.begin * groups * 64;
  for (size_t t = tile.taps.begin; t < tile.taps.end; ++t) {
    const uint8_t* x = tile.x + tile.call->tap_offsets[t];
    for (size_t g = 0; g < groups; ++g, x += 4, w += 64) {
      const __m256i w0 = load_256(w), w1 = load_256(w + 32);
#pragma GCC unroll 6
      for (int m = 0; m < kPixels; ++m) {
        const __m256i pixel = broadcast_dword(x + static_cast<size_t>(m) * stride);
        dot(sums[m].v[0], pixel, w0);
        dot(sums[m].v[1], pixel, w1);
      }
    }
  }
}

struct DotProduct {
  static constexpr int kPixels = 6;  // twelve sums hide the latency and leave room for weights and a pixel

  static bool bytes_are_exact(const ConvWeightsU8S8&, size_t, size_t) { return true; }

  template <Mode kMode, int kCount>
  [[gnu::noinline]] static void run_tile(const Tile& tile) {
    const size_t parts = part_count(tile.channels);
    for (size_t i = 0; i < parts; ++i) {
      const Part part = part_of(tile, i);
      PixelSums sums[kCount];
      start_sums(part, sums);
      multiply(tile, part, sums);
      finish<kMode>(tile, part, sums);
    }
  }
};

}  // namespace

}  // namespace quantize
