// depthwise_u8s8 in AVX2: pairs of taps as words, sixteen channels at a time. Read depthwise() first.
#pragma once

#include "kernels/avx2/requantize.h"
#include "kernels/avx2/vector.h"
#include "kernels/simd/table.h"

namespace quantize {

namespace {

struct alignas(64) DepthwiseHeader {
  size_t channels, kernel_h, kernel_w;
  PanelFlags flags;
};

/// Taps are taken in pairs; the last may have no second.
inline size_t tap_pairs(const DepthwiseHeader& h) {
  return (h.kernel_h * h.kernel_w + 1) / 2;
}
/// Weights of a block of sixteen channels: [pair][slot][2 taps] as words.
inline size_t block_bytes(const DepthwiseHeader& h) {
  return sizeof(PanelConstants) + tap_pairs(h) * kPanel * 2 * sizeof(int16_t);
}
inline size_t depthwise_bytes(const DepthwiseWeightsU8S8& w) noexcept {
  const DepthwiseHeader h{w.channels, w.kernel_h, w.kernel_w, {}};
  return sizeof(DepthwiseHeader) + (w.channels + kPanel - 1) / kPanel * block_bytes(h);
}

inline void depthwise_pack(const DepthwiseWeightsU8S8& w, void* packed) noexcept {
  __builtin_memset(packed, 0, depthwise_bytes(w));
  auto& header = *static_cast<DepthwiseHeader*>(packed);
  header = {w.channels, w.kernel_h, w.kernel_w, {false, false}};
  const size_t taps = w.kernel_h * w.kernel_w;
  for (size_t c = 0; c < w.channels; ++c)
    header.flags.wide = header.flags.wide || !is_narrow(w.weights + c * taps, taps, w.requantize.bias[c],
                                                        w.requantize.multiplier[c]);
  auto* at = reinterpret_cast<uint8_t*>(&header + 1);
  for (size_t first = 0; first < w.channels; first += kPanel, at += block_bytes(header)) {
    const size_t count = w.channels - first < kPanel ? w.channels - first : kPanel;
    pack_constants(w.requantize, first, count, *reinterpret_cast<PanelConstants*>(at), header.flags);
    auto* words = reinterpret_cast<int16_t*>(at + sizeof(PanelConstants));
    for (size_t c = 0; c < count; ++c)
      for (size_t t = 0; t < taps; ++t)
        words[(t / 2 * kPanel + slot_of(c)) * 2 + t % 2] = w.weights[(first + c) * taps + t];
  }
}

/// A block of channels of the rows in question.
struct Block {
  const DepthwiseU8S8* call;
  const DepthwiseHeader* header;
  const PanelConstants* constants;  // the weights follow
  size_t channels;
  const uint8_t* x;
  uint8_t* y;
  const uint8_t* b;
};

/// Steps through the taps in order, row by row.
struct TapWalk {
  size_t row_step, column_step, columns, column = 0;
  const uint8_t* row;
  [[gnu::always_inline]] const uint8_t* next() {
    const uint8_t* at = row + column * column_step;
    if (++column == columns) {
      column = 0;
      row += row_step;
    }
    return at;
  }
};

/// The sums of one pixel. All sixteen bytes of a block may be read: the contract allows 63 behind the last
/// channel.
[[gnu::always_inline]] inline PixelSums sums_at(const Block& block, const uint8_t* x) {
  const DepthwiseU8S8& call = *block.call;
  const size_t taps = block.header->kernel_h * block.header->kernel_w;
  TapWalk walk{call.dilation_h * call.x_row_stride, call.dilation_w * call.x_pixel_stride,
               block.header->kernel_w, 0, x};
  const auto load = [](const uint8_t* p) __attribute__((always_inline)) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  };
  PixelSums sums{{load_256(block.constants->bias), load_256(block.constants->bias + 8)}};
  const auto* w = reinterpret_cast<const int16_t*>(block.constants + 1);
  for (size_t t = 0; t < taps; t += 2, w += 32) {
    const __m256i a = load(walk.next());
    const __m256i b = t + 1 < taps ? load(walk.next()) : _mm256_setzero_si256();
    sums.v[0] = _mm256_add_epi32(sums.v[0], _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), load_256(w)));
    sums.v[1] = _mm256_add_epi32(sums.v[1], _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), load_256(w + 16)));
  }
  return sums;
}

template <bool kFull>
void run_row(const Block& block, size_t row) {
  const DepthwiseU8S8& call = *block.call;
  const EpilogueU8& e = call.epilogue;
  const PanelFlags& flags = block.header->flags;
  const uint8_t* x = block.x + row * call.stride_h * call.x_row_stride;
  const size_t step = call.stride_w * call.x_pixel_stride;
  uint8_t* y = block.y + row * call.y_row_stride;
  const uint8_t* b = block.b == nullptr ? nullptr : block.b + row * e.b_row_stride;
  for (size_t p = 0; p < call.width; p += 2) {
    const PixelSums first = sums_at(block, x + p * step);
    const bool two = p + 1 < call.width;
    const PixelSums second = two ? sums_at(block, x + (p + 1) * step) : first;
    __m256i codes = requantized(first, second, *block.constants, kFull && flags.wide);
    if (kFull && flags.clamps) codes = clamped(codes, *block.constants);
    if (kFull && b != nullptr)
      codes =
          added(codes, load_pixels(b + p * e.b_pixel_stride, two ? e.b_pixel_stride : 0, block.channels), e);
    uint8_t* to = y + p * call.y_pixel_stride;
    store_bytes(to, block.channels, _mm256_castsi256_si128(codes));
    if (two) store_bytes(to + call.y_pixel_stride, block.channels, _mm256_extracti128_si256(codes, 1));
  }
  if (kFull && e.table != nullptr)
    simd::table_u8<U8x32>(
        {y, y, call.width, block.channels, call.y_pixel_stride, call.y_pixel_stride, e.table});
}

inline void depthwise(const DepthwiseU8S8& call) noexcept {
  const auto& header = *static_cast<const DepthwiseHeader*>(call.packed);
  const auto* at = reinterpret_cast<const uint8_t*>(&header + 1);
  const EpilogueU8& e = call.epilogue;
  const bool full = header.flags.clamps || header.flags.wide || e.b != nullptr || e.table != nullptr;
  for (size_t first = 0; first < header.channels; first += kPanel, at += block_bytes(header)) {
    const size_t left = header.channels - first;
    const Block block{&call,
                      &header,
                      reinterpret_cast<const PanelConstants*>(at),
                      left < kPanel ? left : kPanel,
                      call.x + first,
                      call.y + first,
                      e.b == nullptr ? nullptr : e.b + first};
    for (size_t row = 0; row < call.rows; ++row)
      full ? run_row<true>(block, row) : run_row<false>(block, row);
  }
}

}  // namespace

}  // namespace quantize
