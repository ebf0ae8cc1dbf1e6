// The slots of the integer convolutions that depend on how a level multiplies.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/neon/conv.h"
#include "kernels/neon/table.h"

namespace quantize {

namespace {

template <typename Dot>
void conv(const ConvU8S8& call) noexcept {
  simd::conv<ConvLevel<Dot>>(call, look_up);
}

/// Four pixels by sixteen channels, as in a convolution, from registers.
template <typename Dot>
uint64_t probe_u8s8(uint64_t rounds) noexcept {
  constexpr int kPixels = 4;
  constexpr int8_t kNumbers[64] = {1, -2, 3};
  const auto x = Dot::inputs(reinterpret_cast<const uint8_t*>(kNumbers));
  PixelSums sums[kPixels];
  for (int m = 0; m < kPixels; ++m)
    for (int j = 0; j < 4; ++j) sums[m].v[j] = vdupq_n_s32(m);
  const typename Dot::Weights w(kNumbers);
  for (uint64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 4
    for (int m = 0; m < kPixels; ++m) {
      Dot::template multiply<0>(sums[m], x, w);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) asm volatile("" : "+w"(sums[m].v[j]));  // else products may be shared
    }
  }
  return rounds * kPixels * kPanel * 4;
}

template <typename Dot>
void plug_conv(KernelTable& table) {
  table.conv_u8s8_panel = kPanel;
  table.conv_u8s8_bytes = ConvLayout<Dot>::conv_bytes;
  table.conv_u8s8_pack = ConvLayout<Dot>::conv_pack;
  table.conv_u8s8 = conv<Dot>;
  table.probe_u8s8 = probe_u8s8<Dot>;
}

}  // namespace

}  // namespace quantize
