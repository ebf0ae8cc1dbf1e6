// conv_u8s8 with vpdpbusd: tiles of up to 7 pixels x 64 channels, straight from the padded image.
// Read simd/conv.h first, then run_tile().
#pragma once

#include "kernels/avx512vnni/requantize.h"
#include "kernels/simd/conv.h"

namespace quantize {

namespace {

/// The header in front of the panels.
struct alignas(64) ConvHeader {
  size_t channels, taps;
  size_t groups, packed_groups;  // dwords of a tap's run; as packed, with zeros behind it
  PanelFlags flags;
};

/// A panel holds 64 channels; the last one as many vectors as it needs of 1, 2, 4.
inline size_t vectors_of(size_t channels) {
  return channels > 32 ? 4 : channels > 16 ? 2 : 1;
}
inline size_t panel_bytes(const ConvHeader& h, size_t vectors) {
  return sizeof(PanelConstants) + h.taps * h.packed_groups * vectors * 64;
}
inline size_t panel_count(const ConvHeader& h) {
  return (h.channels + kPanel - 1) / kPanel;
}
inline size_t panel_channels(const ConvHeader& h, size_t panel) {
  const size_t left = h.channels - panel * kPanel;
  return left < kPanel ? left : kPanel;
}
inline size_t groups_of(const ConvWeightsU8S8& w) {
  return (w.depth + 3) / 4;
}
inline ConvHeader header_of(const ConvWeightsU8S8& w, size_t packed_groups) {
  return {w.out_channels, w.taps, groups_of(w), packed_groups, {false, false}};
}

inline size_t conv_bytes(const ConvWeightsU8S8& w, size_t packed_groups) {
  const ConvHeader h = header_of(w, packed_groups);
  size_t bytes = sizeof(ConvHeader);
  for (size_t p = 0; p < panel_count(h); ++p) bytes += panel_bytes(h, vectors_of(panel_channels(h, p)));
  return bytes;
}

/// [tap][group][vector][slot of the vector][4 of k]; what is beyond the channels or the run is 0.
inline void pack_panel(const ConvWeightsU8S8& w, const ConvHeader& h, size_t first, size_t count,
                       int8_t* to) {
  const size_t vectors = vectors_of(count), width = vectors * 64;
  __builtin_memset(to, 0, h.taps * h.packed_groups * width);
  for (size_t c = 0; c < count; ++c) {
    const int8_t* from = w.weights + (first + c) * w.taps * w.depth;
    for (size_t t = 0; t < w.taps; ++t, from += w.depth)
      simd::pack_run(from, w.depth, to + t * h.packed_groups * width + slot_of(c, vectors) * 4, width);
  }
}

/// True if no sum of the channel times its multiplier can leave the range of s32.
inline bool channel_is_narrow(const ConvWeightsU8S8& w, size_t c) {
  const size_t terms = w.taps * w.depth;
  return is_narrow(simd::largest_sum(w.weights + c * terms, terms, w.requantize.bias[c]),
                   w.requantize.multiplier[c]);
}

inline void conv_pack(const ConvWeightsU8S8& w, size_t packed_groups, void* packed) {
  auto& header = *static_cast<ConvHeader*>(packed);
  header = header_of(w, packed_groups);
  for (size_t c = 0; c < w.out_channels; ++c)
    header.flags.wide = header.flags.wide || !channel_is_narrow(w, c);
  auto* at = reinterpret_cast<uint8_t*>(&header + 1);
  for (size_t p = 0; p < panel_count(header); ++p) {
    const size_t count = panel_channels(header, p), vectors = vectors_of(count);
    pack_constants(w.requantize, p * kPanel, count, vectors, *reinterpret_cast<PanelConstants*>(at),
                   header.flags);
    pack_panel(w, header, p * kPanel, count, reinterpret_cast<int8_t*>(at + sizeof(PanelConstants)));
    at += panel_bytes(header, vectors);
  }
}

using Tile = simd::ConvTile<ConvHeader, PanelConstants>;

/// GCC 12 keeps the sums of a large tile in memory if they are intrinsics' operands; in asm they stay
/// registers.
[[gnu::always_inline]] inline void dot(__m512i& sum, __m512i x, __m512i w) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
}

[[gnu::always_inline]] inline __m512i broadcast_dword(const uint8_t* p) {
  int dword;
  __builtin_memcpy(&dword, p, sizeof dword);
  return _mm512_set1_epi32(dword);
}

template <int kPixels, int kVectors>
struct Sums {
  __m512i v[kPixels][kVectors];
};

/// All products of a tile. Pixels are reached from every third one, so that addresses need few registers.
template <int kPixels, int kVectors>
[[gnu::always_inline]] inline void multiply(const Tile& tile, Sums<kPixels, kVectors>& sums) {
  constexpr int kPointers = (kPixels + 2) / 3;
#pragma GCC unroll 16
  for (int j = 0; j < kVectors; ++j) {
    const __m512i bias = _mm512_load_si512(tile.constants->bias + 16 * j);
#pragma GCC unroll 16
    for (int m = 0; m < kPixels; ++m) sums.v[m][j] = bias;
  }
  const auto* w = reinterpret_cast<const int8_t*>(tile.constants + 1);
  const size_t stride = tile.call->x_pixel_stride;
  w += tile.taps.begin * tile.header->packed_groups * 64 * kVectors;
  const size_t unused = (tile.header->packed_groups - tile.header->groups) * 64 * kVectors;
  for (size_t t = tile.taps.begin; t < tile.taps.end; ++t) {
    const uint8_t* x = tile.x + tile.call->tap_offsets[t];
    const uint8_t* p[kPointers];
#pragma GCC unroll 8
    for (int i = 0; i < kPointers; ++i) p[i] = x + 3 * static_cast<size_t>(i) * stride;
    const auto step = [&](int k) __attribute__((always_inline)) {
      __m512i weights[kVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) weights[j] = _mm512_load_si512(w + 64 * (k * kVectors + j));
#pragma GCC unroll 16
      for (int m = 0; m < kPixels; ++m) {
        const __m512i pixel = broadcast_dword(p[m / 3] + static_cast<size_t>(m % 3) * stride + 4 * k);
#pragma GCC unroll 4
        for (int j = 0; j < kVectors; ++j) dot(sums.v[m][j], pixel, weights[j]);
      }
    };
    size_t groups = tile.header->groups;
    for (; groups >= 4; groups -= 4) {
      step(0), step(1), step(2), step(3);
      w += 4 * 64 * kVectors;
#pragma GCC unroll 8
      for (int i = 0; i < kPointers; ++i) p[i] += 16;
    }
    for (; groups > 0; --groups) {
      step(0);
      w += 64 * kVectors;
#pragma GCC unroll 8
      for (int i = 0; i < kPointers; ++i) p[i] += 4;
    }
    w += unused;
  }
}

/// Up to 64 codes of one pixel, or up to 32 of two: `full` does all that a layer may ask for.
template <bool kFull>
[[gnu::always_inline]] inline __m512i finish_codes(const Tile& tile, __m512i codes, __m512i b,
                                                   const Addition& add) {
  if constexpr (kFull) {
    if (tile.header->flags.clamps) {
      const bool two = vectors_of(tile.channels) == 2;
      __m512i low = _mm512_load_si512(tile.constants->low), high = _mm512_load_si512(tile.constants->high);
      if (two) {
        low = _mm512_broadcast_i64x4(_mm512_castsi512_si256(low));
        high = _mm512_broadcast_i64x4(_mm512_castsi512_si256(high));
      }
      codes = _mm512_min_epu8(_mm512_max_epu8(codes, low), high);
    }
    if (tile.b != nullptr && !tile.call->epilogue.b_joins) codes = add_codes(codes, b, add);
  }
  return codes;
}

/// float(sum) * multiplier of one vector of a pixel.
[[gnu::always_inline]] inline __m512 scaled(__m512i sums, const PanelConstants& constants, int j) {
  return _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_load_ps(constants.multiplier + 16 * j));
}

template <int kPixels, int kVectors>
inline void store_real_pixels(const Tile& tile, const Sums<kPixels, kVectors>& sums) {
  for (int m = 0; m < kPixels; ++m) {
    __m512 slots[kVectors];
    for (int j = 0; j < kVectors; ++j) slots[j] = scaled(sums.v[m][j], *tile.constants, j);
    store_reals(tile.real + static_cast<size_t>(m) * tile.call->y_pixel_stride, tile.channels, slots);
  }
}

/// The work behind the sums: only requantization, a residual that joins them, the usual residual as second or
/// first operand, or all there is.
enum class Mode { kPlain, kJoin, kAdd, kAddToResidual, kFull };

template <Mode kMode>
[[gnu::always_inline]] inline bool joins(const Tile& tile) {
  return kMode == Mode::kJoin || (kMode == Mode::kFull && tile.b != nullptr && tile.call->epilogue.b_joins);
}

/// Pixel m's steps, rounded.
template <Mode kMode, int kVectors>
[[gnu::always_inline]] inline void round_pixel(const Tile& tile, const __m512i (&sums)[kVectors], int m,
                                               __m512i (&q)[kVectors]) {
  const EpilogueU8& e = tile.call->epilogue;
  if (joins<kMode>(tile))
    return round_joined(sums, *tile.constants,
                        {tile.b + static_cast<size_t>(m) * e.b_pixel_stride, first_bytes(tile.channels)}, e,
                        kMode == Mode::kFull, q);
  const bool wide = kMode == Mode::kFull && tile.header->flags.wide;
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) q[j] = round_steps(scaled(sums[j], *tile.constants, j), wide);
}

/// 32 zero points as words from number `first` on, or none where a residual has brought them.
template <Mode kMode>
[[gnu::always_inline]] inline __m512i zero_points(const Tile& tile, size_t first) {
  return joins<kMode>(tile) ? _mm512_setzero_si512() : _mm512_load_si512(tile.constants->zero_point + first);
}

template <Mode kMode, int kPixels>
[[gnu::always_inline]] inline void store_64(const Tile& tile, const Sums<kPixels, 4>& sums,
                                            const Addition& add) {
  constexpr bool kFull = kMode == Mode::kFull;
  const __mmask64 mask = first_bytes(tile.channels);
  const __m512i zero_low = zero_points<kMode>(tile, 0), zero_high = zero_points<kMode>(tile, 32);
#pragma GCC unroll 16
  for (int m = 0; m < kPixels; ++m) {
    __m512i q[4];
    round_pixel<kMode>(tile, sums.v[m], m, q);
    __m512i codes = pack_codes(q[0], q[1], q[2], q[3], zero_low, zero_high), b = codes;
    if (kFull && tile.b != nullptr)
      b = _mm512_maskz_loadu_epi8(mask, tile.b + static_cast<size_t>(m) * tile.call->epilogue.b_pixel_stride);
    codes = finish_codes<kFull>(tile, codes, b, add);
    store_first(tile.y + static_cast<size_t>(m) * tile.call->y_pixel_stride, tile.channels, codes);
  }
}

/// The usual residual: no clamp, all products narrow. The convolution's codes stay floats until the sum is
/// rounded.
template <bool kResidualFirst, int kPixels>
[[gnu::always_inline]] inline void store_sums(const Tile& tile, const Sums<kPixels, 4>& sums) {
  const PanelConstants& constants = *tile.constants;
  const EpilogueU8& e = tile.call->epilogue;
  const __mmask64 mask = first_bytes(tile.channels);
  const __m512 a_ratio = _mm512_set1_ps(e.a_ratio), b_ratio = _mm512_set1_ps(e.b_ratio),
               offset = _mm512_set1_ps(e.offset), highest = _mm512_set1_ps(255);
#pragma GCC unroll 16
  for (int m = 0; m < kPixels; ++m) {
    __m512i q[4], residual[4];
    load_slots(tile.b + static_cast<size_t>(m) * e.b_pixel_stride, mask, residual);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const __m512 rounded = _mm512_roundscale_ps(scaled(sums.v[m][j], constants, j),
                                                  _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
      const __m512 shifted = _mm512_add_ps(rounded, _mm512_load_ps(constants.zero_real + 16 * j));
      const __m512 code = _mm512_min_ps(_mm512_max_ps(shifted, _mm512_setzero_ps()), highest);
      const __m512 other = _mm512_cvtepi32_ps(residual[j]);
      const __m512 sum = kResidualFirst
                             ? _mm512_fmadd_ps(other, b_ratio, _mm512_fmadd_ps(code, a_ratio, offset))
                             : _mm512_fmadd_ps(code, a_ratio, _mm512_fmadd_ps(other, b_ratio, offset));
      q[j] = _mm512_cvtps_epi32(sum);
    }
    const __m512i codes = _mm512_packus_epi16(_mm512_packs_epi32(q[0], q[1]), _mm512_packs_epi32(q[2], q[3]));
    store_first(tile.y + static_cast<size_t>(m) * tile.call->y_pixel_stride, tile.channels, codes);
  }
}

/// Two pixels share a vector of codes: bytes [0, 32) are the first's, the rest the second's.
template <Mode kMode, int kPixels>
[[gnu::always_inline]] inline void store_32(const Tile& tile, const Sums<kPixels, 2>& sums,
                                            const Addition& add) {
  constexpr bool kFull = kMode == Mode::kFull;
  const auto mask = static_cast<__mmask32>(first_bytes(tile.channels));
  const __m512i zero = zero_points<kMode>(tile, 0);
  const __m512i order = _mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0);
  const size_t b_stride = tile.call->epilogue.b_pixel_stride;
#pragma GCC unroll 16
  for (int m = 0; m < kPixels; m += 2) {
    const int second = m + 1 < kPixels ? m + 1 : m;
    __m512i q0[2], q1[2];
    round_pixel<kMode>(tile, sums.v[m], m, q0);
    round_pixel<kMode>(tile, sums.v[second], second, q1);
    __m512i codes = pack_codes(q0[0], q0[1], q1[0], q1[1], zero, zero);
    codes = _mm512_permutexvar_epi64(order, codes);
    __m512i b = codes;
    if (kFull && tile.b != nullptr) {
      const __m256i b0 = _mm256_maskz_loadu_epi8(mask, tile.b + static_cast<size_t>(m) * b_stride),
                    b1 = _mm256_maskz_loadu_epi8(mask, tile.b + static_cast<size_t>(second) * b_stride);
      b = _mm512_inserti64x4(_mm512_castsi256_si512(b0), b1, 1);
    }
    codes = finish_codes<kFull>(tile, codes, b, add);
    uint8_t* y = tile.y + static_cast<size_t>(m) * tile.call->y_pixel_stride;
    store_first(y, tile.channels, _mm512_castsi512_si256(codes));
    if (second != m)
      store_first(y + tile.call->y_pixel_stride, tile.channels, _mm512_extracti64x4_epi64(codes, 1));
  }
}

/// One vector: sixteen channels in their order, four pixels share a vector of codes.
template <Mode kMode, int kPixels>
[[gnu::always_inline]] inline void store_16(const Tile& tile, const Sums<kPixels, 1>& sums,
                                            const Addition& add) {
  constexpr bool kFull = kMode == Mode::kFull;
  const auto mask = static_cast<__mmask16>(first_bytes(tile.channels));
  const __m512i zero = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(zero_points<kMode>(tile, 0)));
#pragma GCC unroll 16
  for (int m = 0; m < kPixels; ++m) {
    __m512i q[1];
    round_pixel<kMode>(tile, sums.v[m], m, q);
    __m128i codes =
        _mm512_cvtusepi32_epi8(_mm512_max_epi32(_mm512_add_epi32(q[0], zero), _mm512_setzero_si512()));
    if (kFull) {
      const uint8_t* b =
          tile.b + (tile.b == nullptr ? 0 : static_cast<size_t>(m) * tile.call->epilogue.b_pixel_stride);
      const __m128i residual = tile.b == nullptr ? codes : _mm_maskz_loadu_epi8(mask, b);
      codes = _mm512_castsi512_si128(
          finish_codes<true>(tile, _mm512_castsi128_si512(codes), _mm512_castsi128_si512(residual), add));
    }
    _mm_mask_storeu_epi8(tile.y + static_cast<size_t>(m) * tile.call->y_pixel_stride, mask, codes);
  }
}

template <Mode kMode, int kPixels, int kVectors>
[[gnu::always_inline]] inline void store_tile(const Tile& tile, const Sums<kPixels, kVectors>& sums) {
  constexpr bool kAdds = kMode == Mode::kAdd || kMode == Mode::kAddToResidual;
  if constexpr (kAdds && kVectors == 4) return store_sums<kMode == Mode::kAddToResidual>(tile, sums);
  // The usual residual of fewer channels has no form of its own.
  constexpr Mode kForm = kAdds ? Mode::kFull : kMode;
  if (kMode == Mode::kFull && tile.real != nullptr) return store_real_pixels(tile, sums);
  Addition add{};
  if (kForm == Mode::kFull && tile.b != nullptr) add = addition_of(tile.call->epilogue);
  if constexpr (kVectors == 4) store_64<kForm>(tile, sums, add);
  if constexpr (kVectors == 2) store_32<kForm>(tile, sums, add);
  if constexpr (kVectors == 1) store_16<kForm>(tile, sums, add);
}

template <Mode kMode, int kPixels, int kVectors>
void run_tile(const Tile& tile) {
  Sums<kPixels, kVectors> sums;
  multiply(tile, sums);
  store_tile<kMode>(tile, sums);
}

using TileFunction = void (*)(const Tile&);

/// Pixels of the largest tile: 28 sums fit in the registers beside weights and pixels.
inline size_t max_pixels(size_t vectors) {
  return vectors == 4 ? 7 : 14;
}

template <Mode kMode, int kVectors>
TileFunction tile_function(size_t pixels) {
  static constexpr TileFunction kFew[] = {run_tile<kMode, 1, kVectors>, run_tile<kMode, 2, kVectors>,
                                          run_tile<kMode, 3, kVectors>, run_tile<kMode, 4, kVectors>,
                                          run_tile<kMode, 5, kVectors>, run_tile<kMode, 6, kVectors>,
                                          run_tile<kMode, 7, kVectors>};
  if constexpr (kVectors < 4) {
    static constexpr TileFunction kMany[] = {run_tile<kMode, 8, kVectors>,  run_tile<kMode, 9, kVectors>,
                                             run_tile<kMode, 10, kVectors>, run_tile<kMode, 11, kVectors>,
                                             run_tile<kMode, 12, kVectors>, run_tile<kMode, 13, kVectors>,
                                             run_tile<kMode, 14, kVectors>};
    // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.UndefReturn): there are at most 14 pixels
    if (pixels > 7) return kMany[pixels - 8];
  }
  return kFew[pixels - 1];
}

template <Mode kMode>
TileFunction tile_function(size_t pixels, size_t vectors) {
  if (vectors == 4) return tile_function<kMode, 4>(pixels);
  return vectors == 2 ? tile_function<kMode, 2>(pixels) : tile_function<kMode, 1>(pixels);
}

/// The parts of this level that simd::conv uses.
struct ConvLevel {
  static constexpr size_t kChannels = kPanel;
  using Header = ConvHeader;
  using Panel = PanelConstants;
  using Mode = quantize::Mode;
  static Mode mode_of(const ConvU8S8& call, const ConvHeader& h) {
    const EpilogueU8& e = call.epilogue;
    if (h.flags.clamps || h.flags.wide || call.real != nullptr) return Mode::kFull;
    if (e.b == nullptr) return Mode::kPlain;
    if (is_wide(e)) return Mode::kFull;
    if (e.b_joins) return Mode::kJoin;
    return e.b_first ? Mode::kAddToResidual : Mode::kAdd;
  }
  static size_t bytes_before(const ConvHeader& h, size_t panels) {
    return panels * panel_bytes(h, kMaxVectors);
  }
  static size_t most_pixels(size_t channels) { return max_pixels(vectors_of(channels)); }
  static void run(const Tile& tile, size_t pixels, Mode mode) {
    using Choose = TileFunction (*)(size_t, size_t);
    static constexpr Choose kChoose[] = {tile_function<Mode::kPlain>, tile_function<Mode::kJoin>,
                                         tile_function<Mode::kAdd>, tile_function<Mode::kAddToResidual>,
                                         tile_function<Mode::kFull>};
    kChoose[static_cast<size_t>(mode)](pixels, vectors_of(tile.channels))(tile);
  }
};

}  // namespace

}  // namespace quantize
