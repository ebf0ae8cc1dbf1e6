// depthwise_u8s8 with vpdpbusd: bytes of up to four rows interleaved, so that one dot product takes a column
// of the kernel for sixteen channels. Read depthwise() first.
#pragma once

#include "kernels/avx512vnni/requantize.h"

namespace quantize {

namespace {

struct alignas(64) DepthwiseHeader {
  size_t channels, kernel_h, kernel_w;
  PanelFlags flags;
};

/// Rows are taken four at a time.
inline size_t row_groups(size_t kernel_h) {
  return (kernel_h + 3) / 4;
}

/// The unpacks that interleave give a lane its channels in the order in which four vectors of sums pack.
using Column = __m512i[4];
constexpr size_t kColumnBytes = 4 * 64;

/// Weights of a block of 64 channels: [row group][kernel column][vector][slot][4 rows]; for kernels of three
/// rows a second set follows whose rows stand one lower, for the output row below.
inline size_t set_bytes(const DepthwiseHeader& h) {
  return row_groups(h.kernel_h) * h.kernel_w * kColumnBytes;
}
inline size_t block_bytes(const DepthwiseHeader& h) {
  return sizeof(PanelConstants) + set_bytes(h) * (h.kernel_h == 3 ? 2 : 1);
}

inline size_t depthwise_bytes(const DepthwiseWeightsU8S8& w) noexcept {
  const DepthwiseHeader h{w.channels, w.kernel_h, w.kernel_w, {}};
  return sizeof(DepthwiseHeader) + (w.channels + kPanel - 1) / kPanel * block_bytes(h);
}

inline void pack_set(const DepthwiseWeightsU8S8& w, size_t first, size_t count, size_t shift, int8_t* to) {
  for (size_t c = 0; c < count; ++c)
    for (size_t i = 0; i < w.kernel_h; ++i)
      for (size_t j = 0; j < w.kernel_w; ++j) {
        const size_t row = i + shift;
        to[((row / 4 * w.kernel_w + j) * kPanel + slot_of(c, 4)) * 4 + row % 4] =
            w.weights[((first + c) * w.kernel_h + i) * w.kernel_w + j];
      }
}

inline bool depthwise_is_narrow(const DepthwiseWeightsU8S8& w, size_t c) {
  const size_t taps = w.kernel_h * w.kernel_w;
  double bound = __builtin_fabs(static_cast<double>(w.requantize.bias[c]));
  for (size_t t = 0; t < taps; ++t) bound += 255.0 * __builtin_abs(w.weights[c * taps + t]);
  return is_narrow(bound, w.requantize.multiplier[c]);
}

inline void depthwise_pack(const DepthwiseWeightsU8S8& w, void* packed) noexcept {
  __builtin_memset(packed, 0, depthwise_bytes(w));
  auto& header = *static_cast<DepthwiseHeader*>(packed);
  header = {w.channels, w.kernel_h, w.kernel_w, {false, false}};
  for (size_t c = 0; c < w.channels; ++c) header.flags.wide = header.flags.wide || !depthwise_is_narrow(w, c);
  auto* at = reinterpret_cast<uint8_t*>(&header + 1);
  for (size_t first = 0; first < w.channels; first += kPanel, at += block_bytes(header)) {
    const size_t count = w.channels - first < kPanel ? w.channels - first : kPanel;
    pack_constants(w.requantize, first, count, 4, *reinterpret_cast<PanelConstants*>(at), header.flags);
    auto* weights = reinterpret_cast<int8_t*>(at + sizeof(PanelConstants));
    pack_set(w, first, count, 0, weights);
    if (w.kernel_h == 3) pack_set(w, first, count, 1, weights + set_bytes(header));
  }
}

/// A block of channels of the rows in question.
struct Block {
  const DepthwiseU8S8* call;
  const DepthwiseHeader* header;
  const PanelConstants* constants;  // the weights follow
  __mmask64 mask;                   // the channels that exist
  size_t channels;
  const uint8_t* x;  // of output row 0
  uint8_t* y;
  float* real;
  const uint8_t* b;
  Addition add;

  const int8_t* weights() const { return reinterpret_cast<const int8_t*>(constants + 1); }
};

/// Interleaves the bytes of four rows: dword e of lane l of vector j holds channel 16 l + 4 j + e.
[[gnu::always_inline]] inline void interleave(__m512i r0, __m512i r1, __m512i r2, __m512i r3, Column& out) {
  const __m512i a = _mm512_unpacklo_epi8(r0, r1), b = _mm512_unpackhi_epi8(r0, r1),
                c = _mm512_unpacklo_epi8(r2, r3), d = _mm512_unpackhi_epi8(r2, r3);
  out[0] = _mm512_unpacklo_epi16(a, c);
  out[1] = _mm512_unpackhi_epi16(a, c);
  out[2] = _mm512_unpacklo_epi16(b, d);
  out[3] = _mm512_unpackhi_epi16(b, d);
}

/// The column of `rows` rows at x.
[[gnu::always_inline]] inline void load_column(const Block& block, const uint8_t* x, size_t row_stride,
                                               int rows, Column& out) {
  const __m512i zero = _mm512_setzero_si512();
  const auto row = [&](int i) __attribute__((always_inline)) {
    return i < rows ? _mm512_maskz_loadu_epi8(block.mask, x + static_cast<size_t>(i) * row_stride) : zero;
  };
  interleave(row(0), row(1), row(2), row(3), out);
}

[[gnu::always_inline]] inline void add_products(Column& sums, const Column& column, const int8_t* weights) {
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j)
    sums[j] = _mm512_dpbusd_epi32(sums[j], column[j], _mm512_load_si512(weights + 64 * j));
}

[[gnu::always_inline]] inline void start_sums(const Block& block, Column& sums) {
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) sums[j] = _mm512_load_si512(block.constants->bias + 16 * j);
}

/// kFull: all that a layer may ask for.
template <bool kFull>
[[gnu::always_inline]] inline void store_codes(const Block& block, const Column& sums, size_t row,
                                               size_t pixel) {
  const PanelConstants& constants = *block.constants;
  const bool wide = kFull && block.header->flags.wide;
  __m512 steps[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j)
    steps[j] = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[j]), _mm512_load_ps(constants.multiplier + 16 * j));
  const size_t y_at = row * block.call->y_row_stride + pixel * block.call->y_pixel_stride;
  if (kFull && block.real != nullptr) return store_reals(block.real + y_at, block.channels, steps);
  const EpilogueU8& e = block.call->epilogue;
  const bool adds = kFull && block.b != nullptr, joins = adds && e.b_joins;
  const uint8_t* b = adds ? block.b + row * e.b_row_stride + pixel * e.b_pixel_stride : nullptr;
  __m512i q[4], zero_low = _mm512_load_si512(constants.zero_point),
                zero_high = _mm512_load_si512(constants.zero_point + 32);
  if (joins) {
    round_joined(sums, constants, {b, block.mask}, e, true, q);
    zero_low = zero_high = _mm512_setzero_si512();
  } else {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) q[j] = round_steps(steps[j], wide);
  }
  __m512i codes = pack_codes(q[0], q[1], q[2], q[3], zero_low, zero_high);
  if (kFull && block.header->flags.clamps)
    codes = _mm512_min_epu8(_mm512_max_epu8(codes, _mm512_load_si512(constants.low)),
                            _mm512_load_si512(constants.high));
  if (adds && !joins) codes = add_codes(codes, _mm512_maskz_loadu_epi8(block.mask, b), block.add);
  store_first(block.y + y_at, block.channels, codes);
}

/// Three columns of one output row, and of the row below it if kTwo.
template <bool kFull, bool kTwo>
[[gnu::always_inline]] inline void finish_3x3(const Block& block, const Column& c0, const Column& c1,
                                              const Column& c2, size_t row, size_t pixel) {
  const int8_t* w = block.weights();
#pragma GCC unroll 2
  for (size_t below = 0; below < (kTwo ? 2 : 1); ++below, w += 3 * kColumnBytes) {
    Column sums;
    start_sums(block, sums);
    add_products(sums, c0, w);
    add_products(sums, c1, w + kColumnBytes);
    add_products(sums, c2, w + 2 * kColumnBytes);
    store_codes<kFull>(block, sums, row + below, pixel);
  }
}

/// One output row (two if kTwo) of a 3x3 kernel without dilation: with stride 1 every column serves three
/// outputs, with stride 2 every other column serves two.
template <bool kFull, bool kTwo, int kStride>
void run_3x3(const Block& block, size_t row) {
  const DepthwiseU8S8& call = *block.call;
  const uint8_t* x = block.x + row * call.stride_h * call.x_row_stride;
  const auto load = [&](size_t column, Column & out) __attribute__((always_inline)) {
    load_column(block, x + column * call.x_pixel_stride, call.x_row_stride, kTwo ? 4 : 3, out);
  };
  Column a, b, c;
  load(0, a);
  if constexpr (kStride == 1) {
    load(1, b);
    size_t p = 0;
    for (; p + 3 <= call.width; p += 3) {
      load(p + 2, c);
      finish_3x3<kFull, kTwo>(block, a, b, c, row, p);
      load(p + 3, a);
      finish_3x3<kFull, kTwo>(block, b, c, a, row, p + 1);
      load(p + 4, b);
      finish_3x3<kFull, kTwo>(block, c, a, b, row, p + 2);
    }
    if (p < call.width) {
      load(p + 2, c);
      finish_3x3<kFull, kTwo>(block, a, b, c, row, p);
    }
    if (p + 1 < call.width) {
      load(p + 3, a);
      finish_3x3<kFull, kTwo>(block, b, c, a, row, p + 1);
    }
  } else {
    for (size_t p = 0; p < call.width; ++p) {
      load(2 * p + 1, b);
      load(2 * p + 2, c);
      finish_3x3<kFull, kTwo>(block, a, b, c, row, p);
      if (p + 1 < call.width) load(2 * p + 2, a);
    }
  }
}

/// Any kernel: every column of every output is interleaved anew.
template <bool kFull>
void run_any(const Block& block, size_t row) {
  const DepthwiseU8S8& call = *block.call;
  const size_t kernel_h = block.header->kernel_h, kernel_w = block.header->kernel_w;
  const size_t row_step = call.dilation_h * call.x_row_stride,
               column_step = call.dilation_w * call.x_pixel_stride;
  for (size_t p = 0; p < call.width; ++p) {
    const uint8_t* x =
        block.x + row * call.stride_h * call.x_row_stride + p * call.stride_w * call.x_pixel_stride;
    const int8_t* w = block.weights();
    Column sums;
    start_sums(block, sums);
    for (size_t i = 0; i < kernel_h; i += 4) {
      const int rows = static_cast<int>(kernel_h - i < 4 ? kernel_h - i : 4);
      for (size_t j = 0; j < kernel_w; ++j, w += kColumnBytes) {
        Column column;
        load_column(block, x + i * row_step + j * column_step, row_step, rows, column);
        add_products(sums, column, w);
      }
    }
    store_codes<kFull>(block, sums, row, p);
  }
}

/// Looks up what the rows have become.
inline void look_up_block(const Block& block) {
  const DepthwiseU8S8& call = *block.call;
  for (size_t row = 0; row < call.rows; ++row) {
    uint8_t* y = block.y + row * call.y_row_stride;
    look_up(
        {y, y, call.width, block.channels, call.y_pixel_stride, call.y_pixel_stride, call.epilogue.table});
  }
}

template <bool kFull>
void run_block(const Block& block) {
  const DepthwiseU8S8& call = *block.call;
  const bool is_3x3 = block.header->kernel_h == 3 && block.header->kernel_w == 3 && call.dilation_h == 1 &&
                      call.dilation_w == 1;
  size_t row = 0;
  if (is_3x3 && call.stride_w == 1 && call.stride_h == 1)
    for (; row + 2 <= call.rows; row += 2) run_3x3<kFull, true, 1>(block, row);
  for (; row < call.rows; ++row) {
    if (is_3x3 && call.stride_w == 1)
      run_3x3<kFull, false, 1>(block, row);
    else if (is_3x3 && call.stride_w == 2)
      run_3x3<kFull, false, 2>(block, row);
    else
      run_any<kFull>(block, row);
  }
  if (call.epilogue.table != nullptr && call.real == nullptr) look_up_block(block);
}

inline void depthwise(const DepthwiseU8S8& call) noexcept {
  const auto& header = *static_cast<const DepthwiseHeader*>(call.packed);
  const auto* at = reinterpret_cast<const uint8_t*>(&header + 1);
  const EpilogueU8& e = call.epilogue;
  const bool full = header.flags.clamps || header.flags.wide || e.b != nullptr || call.real != nullptr;
  for (size_t first = 0; first < header.channels; first += kPanel, at += block_bytes(header)) {
    const size_t count = header.channels - first < kPanel ? header.channels - first : kPanel;
    const Block block{&call,
                      &header,
                      reinterpret_cast<const PanelConstants*>(at),
                      first_bytes(count),
                      count,
                      call.x + first,
                      call.y == nullptr ? nullptr : call.y + first,
                      call.real == nullptr ? nullptr : call.real + first,
                      e.b == nullptr ? nullptr : e.b + first,
                      addition_of(e)};
    if (full)
      run_block<true>(block);
    else
      run_block<false>(block);
  }
}

}  // namespace

}  // namespace quantize
