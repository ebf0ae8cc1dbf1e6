// depthwise_u8s8 in words, sixteen channels and up to two pixels at a time. Read depthwise() first.
#pragma once

#include "kernels/neon/requantize.h"
#include "kernels/neon/table.h"
#include "kernels/simd/conv.h"

namespace quantize {

namespace {

struct alignas(64) DepthwiseHeader {
  size_t channels, kernel_h, kernel_w;
};

/// Constants, then weights as words: [tap][channel].
inline size_t block_bytes(const DepthwiseHeader& h) {
  const size_t bytes = sizeof(PanelConstants) + h.kernel_h * h.kernel_w * kPanel * sizeof(int16_t);
  return (bytes + 63) / 64 * 64;
}
inline size_t depthwise_bytes(const DepthwiseWeightsU8S8& w) noexcept {
  const DepthwiseHeader h{w.channels, w.kernel_h, w.kernel_w};
  return sizeof(DepthwiseHeader) + (w.channels + kPanel - 1) / kPanel * block_bytes(h);
}

inline void depthwise_pack(const DepthwiseWeightsU8S8& w, void* packed) noexcept {
  __builtin_memset(packed, 0, depthwise_bytes(w));
  auto& header = *static_cast<DepthwiseHeader*>(packed);
  header = {w.channels, w.kernel_h, w.kernel_w};
  const size_t taps = w.kernel_h * w.kernel_w;
  auto* at = reinterpret_cast<uint8_t*>(&header + 1);
  for (size_t first = 0; first < w.channels; first += kPanel, at += block_bytes(header)) {
    const size_t left = w.channels - first, count = left < kPanel ? left : kPanel;
    auto& constants = *reinterpret_cast<PanelConstants*>(at);
    pack_constants(w.requantize, first, count, constants);
    auto* words = reinterpret_cast<int16_t*>(&constants + 1);
    for (size_t c = 0; c < count; ++c)
      for (size_t t = 0; t < taps; ++t) words[t * kPanel + c] = w.weights[(first + c) * taps + t];
  }
}

/// Sixteen channels of a row.
struct Block {
  const DepthwiseU8S8* call;
  const DepthwiseHeader* header;
  const PanelConstants* constants;  // the weights follow
  size_t channels;
  const uint8_t* x;
  uint8_t* y;
  float* real;
  const uint8_t* b;
};

/// All bytes of a block may be read: the contract allows 63 behind the last channel.
template <int kPixels>
[[gnu::always_inline]] inline void multiply_taps(const Block& block, const uint8_t* x, size_t step,
                                                 PixelSums (&sums)[kPixels]) {
  const DepthwiseU8S8& call = *block.call;
  const auto* w = reinterpret_cast<const int16_t*>(block.constants + 1);
  for (size_t i = 0; i < block.header->kernel_h; ++i) {
    const uint8_t* row = x + i * call.dilation_h * call.x_row_stride;
    for (size_t j = 0; j < block.header->kernel_w; ++j, w += kPanel) {
      const uint8_t* tap = row + j * call.dilation_w * call.x_pixel_stride;
      const int16x8_t w_low = vld1q_s16(w), w_high = vld1q_s16(w + 8);
#pragma GCC unroll 2
      for (size_t m = 0; m < kPixels; ++m) {
        const uint8x16_t bytes = vld1q_u8(tap + m * step);
        const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes))),
                        high = vreinterpretq_s16_u16(vmovl_high_u8(bytes));
        sums[m].v[0] = vmlal_s16(sums[m].v[0], vget_low_s16(low), vget_low_s16(w_low));
        sums[m].v[1] = vmlal_high_s16(sums[m].v[1], low, w_low);
        sums[m].v[2] = vmlal_s16(sums[m].v[2], vget_low_s16(high), vget_low_s16(w_high));
        sums[m].v[3] = vmlal_high_s16(sums[m].v[3], high, w_high);
      }
    }
  }
}

/// Pixels p, p + 1, ... of a row.
template <int kPixels>
[[gnu::always_inline]] inline void run_pixels(const Block& block, size_t p) {
  const DepthwiseU8S8& call = *block.call;
  const EpilogueU8& e = call.epilogue;
  const size_t step = call.stride_w * call.x_pixel_stride;
  PixelSums sums[kPixels];
  for (int m = 0; m < kPixels; ++m)
    for (int j = 0; j < 4; ++j) sums[m].v[j] = vld1q_s32(block.constants->bias + 4 * j);
  multiply_taps(block, block.x + p * step, step, sums);
#pragma GCC unroll 2
  for (size_t m = 0; m < kPixels; ++m) {
    if (block.real != nullptr) {
      store_reals(block.real + (p + m) * call.y_pixel_stride, block.channels, sums[m], *block.constants);
      continue;
    }
    const uint8_t* b = block.b == nullptr ? nullptr : block.b + (p + m) * e.b_pixel_stride;
    store_bytes(block.y + (p + m) * call.y_pixel_stride, block.channels,
                finished(sums[m], *block.constants, b, block.channels, e));
  }
}

[[gnu::noinline]] inline void run_row(const Block& block) {
  const DepthwiseU8S8& call = *block.call;
  size_t p = 0;
  for (; p + 2 <= call.width; p += 2) run_pixels<2>(block, p);
  if (p < call.width) run_pixels<1>(block, p);
  if (call.epilogue.table != nullptr && block.real == nullptr)
    look_up({block.y, block.y, call.width, block.channels, call.y_pixel_stride, call.y_pixel_stride,
             call.epilogue.table});
}

/// All channels of a row, then the next row: the rows of x that both read are in the L1 cache.
inline void depthwise(const DepthwiseU8S8& call) noexcept {
  const auto& header = *static_cast<const DepthwiseHeader*>(call.packed);
  const EpilogueU8& e = call.epilogue;
  for (size_t row = 0; row < call.rows; ++row) {
    const auto* at = reinterpret_cast<const uint8_t*>(&header + 1);
    for (size_t first = 0; first < header.channels; first += kPanel, at += block_bytes(header)) {
      const size_t left = header.channels - first;
      run_row({&call, &header, reinterpret_cast<const PanelConstants*>(at), left < kPanel ? left : kPanel,
               call.x + row * call.stride_h * call.x_row_stride + first,
               simd::moved(call.y, row * call.y_row_stride + first),
               simd::moved(call.real, row * call.y_row_stride + first),
               simd::moved(e.b, row * e.b_row_stride + first)});
    }
  }
}

}  // namespace

}  // namespace quantize
