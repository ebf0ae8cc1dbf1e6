// depthwise_u8s8 in AVX2: pairs of taps as words, thirty-two channels at a time. Read depthwise() first.
#pragma once

#include "kernels/avx2/requantize.h"
#include "kernels/avx2/vector.h"
#include "kernels/simd/conv.h"
#include "kernels/simd/table.h"

namespace quantize {

namespace {

/// Channels of a block: the unpacks that pair and widen their bytes leave the order that the packs need.
constexpr size_t kBlock = 32;
using BlockConstants = ConstantsOf<kBlock>;
using BlockSums = SumsOf<kBlock>;

struct alignas(64) DepthwiseHeader {
  size_t channels, kernel_h, kernel_w;
  PanelFlags flags;
};

/// Taps are taken in pairs; the last may have no second.
inline size_t tap_pairs(const DepthwiseHeader& h) {
  return (h.kernel_h * h.kernel_w + 1) / 2;
}
/// Weights of a block: [pair][slot][2 taps] as words.
inline size_t block_bytes(const DepthwiseHeader& h) {
  return sizeof(BlockConstants) + tap_pairs(h) * kBlock * 2 * sizeof(int16_t);
}
inline size_t depthwise_bytes(const DepthwiseWeightsU8S8& w) noexcept {
  const DepthwiseHeader h{w.channels, w.kernel_h, w.kernel_w, {}};
  return sizeof(DepthwiseHeader) + (w.channels + kBlock - 1) / kBlock * block_bytes(h);
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
  for (size_t first = 0; first < w.channels; first += kBlock, at += block_bytes(header)) {
    const size_t count = w.channels - first < kBlock ? w.channels - first : kBlock;
    pack_constants(w.requantize, first, count, *reinterpret_cast<BlockConstants*>(at), header.flags);
    auto* words = reinterpret_cast<int16_t*>(at + sizeof(BlockConstants));
    for (size_t c = 0; c < count; ++c)
      for (size_t t = 0; t < taps; ++t)
        words[(t / 2 * kBlock + slot_of<kBlock>(c)) * 2 + t % 2] = w.weights[(first + c) * taps + t];
  }
}

/// A block of channels of the rows in question.
struct Block {
  const DepthwiseU8S8* call;
  const DepthwiseHeader* header;
  const BlockConstants* constants;  // the weights follow
  size_t channels;
  const uint8_t* x;
  uint8_t* y;
  float* real;
  const uint8_t* b;
};

/// Adds the products of two taps, whose weights are `w`, of pixels `step` apart. All bytes of a block may be
/// read: the contract allows 63 behind the last channel.
template <int kPixels>
[[gnu::always_inline]] inline void multiply_taps(const uint8_t* first, const uint8_t* second, size_t step,
                                                 const int16_t* w, BlockSums (&sums)[kPixels]) {
  const __m256i zero = _mm256_setzero_si256();
  __m256i low[kPixels], high[kPixels];
  for (int m = 0; m < kPixels; ++m) {
    const size_t at = static_cast<size_t>(m) * step;
    const __m256i a = U8x32::load(first + at), b = U8x32::load(second + at);
    low[m] = _mm256_unpacklo_epi8(a, b);
    high[m] = _mm256_unpackhi_epi8(a, b);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m256i weights = load_256(w + 16 * j);
#pragma GCC unroll 2
    for (int m = 0; m < kPixels; ++m) {
      const __m256i bytes = j < 2 ? low[m] : high[m];
      const __m256i pair = j % 2 == 0 ? _mm256_unpacklo_epi8(bytes, zero) : _mm256_unpackhi_epi8(bytes, zero);
      sums[m].v[j] = _mm256_add_epi32(sums[m].v[j], _mm256_madd_epi16(pair, weights));
      asm("" : "+x"(sums[m].v[j]));  // GCC 12 would first collect products of many taps, in memory
    }
  }
}

/// A kernel whose shape is known when compiled.
template <size_t kHeight, size_t kWidth>
struct KernelOf {
  template <int kPixels>
  [[gnu::always_inline]] static void sum(const Block& block, const uint8_t* x, size_t step,
                                         BlockSums (&sums)[kPixels]) {
    const DepthwiseU8S8& call = *block.call;
    const size_t row_step = call.dilation_h * call.x_row_stride,
                 column_step = call.dilation_w * call.x_pixel_stride;
    const auto* w = reinterpret_cast<const int16_t*>(block.constants + 1);
    constexpr size_t kTaps = kHeight * kWidth;
#pragma GCC unroll 16
    for (size_t t = 0; t < kTaps; t += 2) {
      const size_t u = t + 1 < kTaps ? t + 1 : t;  // whose weights are 0
      multiply_taps(x + t / kWidth * row_step + t % kWidth * column_step,
                    x + u / kWidth * row_step + u % kWidth * column_step, step, w + kBlock * t, sums);
    }
  }
};

struct AnyKernel {
  template <int kPixels>
  [[gnu::always_inline]] static void sum(const Block& block, const uint8_t* x, size_t step,
                                         BlockSums (&sums)[kPixels]) {
    const DepthwiseU8S8& call = *block.call;
    const size_t columns = block.header->kernel_w, pairs = tap_pairs(*block.header),
                 taps = block.header->kernel_h * columns;
    const size_t row_step = call.dilation_h * call.x_row_stride,
                 column_step = call.dilation_w * call.x_pixel_stride;
    const auto* w = reinterpret_cast<const int16_t*>(block.constants + 1);
    size_t column = 0;
    const auto next = [&]() __attribute__((always_inline)) {
      const uint8_t* tap = x + column * column_step;
      if (++column == columns) column = 0, x += row_step;
      return tap;
    };
    for (size_t i = 0; i < pairs; ++i, w += 2 * kBlock) {
      const uint8_t* first = next();
      multiply_taps(first, 2 * i + 1 < taps ? next() : first, step, w, sums);
    }
  }
};

/// Pixels p, p + 1, ... of a row.
template <bool kFull, typename Kernel, int kPixels>
[[gnu::always_inline]] inline void run_block_pixels(const Block& block, size_t row, size_t p) {
  const DepthwiseU8S8& call = *block.call;
  const EpilogueU8& e = call.epilogue;
  const BlockConstants& constants = *block.constants;
  const size_t step = call.stride_w * call.x_pixel_stride;
  BlockSums sums[kPixels];
  for (int m = 0; m < kPixels; ++m)
    for (int j = 0; j < 4; ++j) sums[m].v[j] = load_256(constants.bias + 8 * j);
  Kernel::sum(block, block.x + row * call.stride_h * call.x_row_stride + p * step, step, sums);
  const size_t first = block.channels < 16 ? block.channels : 16, second = block.channels - first;
#pragma GCC unroll 2
  for (size_t m = 0; m < kPixels; ++m) {
    if (kFull && block.real != nullptr) {
      store_reals(block.real + row * call.y_row_stride + (p + m) * call.y_pixel_stride, block.channels,
                  sums[m], constants);
      continue;
    }
    __m256i residual = _mm256_setzero_si256();
    const bool adds = kFull && e.b != nullptr, joins = adds && e.b_joins;
    if (adds)
      residual = load_halves(block.b + row * e.b_row_stride + (p + m) * e.b_pixel_stride, second > 0 ? 16 : 0,
                             first, second);
    __m256i codes = joins ? joined(sums[m], residual, constants, e)
                          : requantized(sums[m], constants, kFull && block.header->flags.wide);
    if (kFull && block.header->flags.clamps) codes = clamped(codes, constants);
    if (adds && !joins) codes = added(codes, residual, e);
    store_halves(block.y + row * call.y_row_stride + (p + m) * call.y_pixel_stride, 16, first, second, codes);
  }
}

template <bool kFull, typename Kernel>
[[gnu::noinline]] void run_row(const Block& block, size_t row) {
  const DepthwiseU8S8& call = *block.call;
  size_t p = 0;
  for (; p + 2 <= call.width; p += 2) run_block_pixels<kFull, Kernel, 2>(block, row, p);
  if (p < call.width) run_block_pixels<kFull, Kernel, 1>(block, row, p);
  if (kFull && call.epilogue.table != nullptr && block.real == nullptr) {
    uint8_t* y = block.y + row * call.y_row_stride;
    simd::table_u8<U8x32>(
        {y, y, call.width, block.channels, call.y_pixel_stride, call.y_pixel_stride, call.epilogue.table});
  }
}

/// All channels of a row, then the next row: the rows of x that both read are in the L1 cache.
template <typename Kernel>
void run_rows(const DepthwiseU8S8& call) {
  const auto& header = *static_cast<const DepthwiseHeader*>(call.packed);
  const EpilogueU8& e = call.epilogue;
  const bool full = header.flags.clamps || header.flags.wide || e.b != nullptr || e.table != nullptr ||
                    call.real != nullptr;
  for (size_t row = 0; row < call.rows; ++row) {
    const auto* at = reinterpret_cast<const uint8_t*>(&header + 1);
    for (size_t first = 0; first < header.channels; first += kBlock, at += block_bytes(header)) {
      const size_t left = header.channels - first;
      const Block block{&call,
                        &header,
                        reinterpret_cast<const BlockConstants*>(at),
                        left < kBlock ? left : kBlock,
                        call.x + first,
                        simd::moved(call.y, first),
                        simd::moved(call.real, first),
                        simd::moved(e.b, first)};
      full ? run_row<true, Kernel>(block, row) : run_row<false, Kernel>(block, row);
    }
  }
}

inline void depthwise(const DepthwiseU8S8& call) noexcept {
  const auto& header = *static_cast<const DepthwiseHeader*>(call.packed);
  if (header.kernel_h == 3 && header.kernel_w == 3) return run_rows<KernelOf<3, 3>>(call);
  if (header.kernel_h == 5 && header.kernel_w == 5) return run_rows<KernelOf<5, 5>>(call);
  run_rows<AnyKernel>(call);
}

}  // namespace

}  // namespace quantize
