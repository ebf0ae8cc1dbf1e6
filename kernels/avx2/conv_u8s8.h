// conv_u8s8 in AVX2, exact: panels whose pairs of weights cannot saturate multiply bytes (maddubs), the
// others widened words (maddwd). Read simd/conv.h first, then run_tile().
#pragma once

#include "kernels/avx2/requantize.h"
#include "kernels/simd/conv.h"

namespace quantize {

namespace {

struct alignas(64) ConvHeader {
  size_t channels, taps, groups;  // groups: dwords of a tap's run
  PanelFlags flags;
};

/// A panel's constants; the weights follow, as bytes if `bytes`, else as words.
struct alignas(64) ConvPanel {
  PanelConstants constants;
  bool bytes;
};

/// Words take twice as much; every panel has room for them, so that panels stand at equal distances.
inline size_t panel_bytes(const ConvHeader& h) {
  return sizeof(ConvPanel) + h.taps * h.groups * kPanel * 4 * sizeof(int16_t);
}
inline size_t panel_count(const ConvHeader& h) {
  return (h.channels + kPanel - 1) / kPanel;
}
inline ConvHeader header_of(const ConvWeightsU8S8& w) {
  return {w.out_channels, w.taps, (w.depth + 3) / 4, {false, false}};
}
inline size_t conv_bytes(const ConvWeightsU8S8& w) noexcept {
  const ConvHeader h = header_of(w);
  return sizeof(ConvHeader) + panel_count(h) * panel_bytes(h);
}

/// maddubs adds two products in s16: with inputs up to 255 they fit if the positive weights of the pair sum
/// to at most 128 and the negative ones to at least -128.
inline bool pair_is_safe(int a, int b) {
  const int positive = (a > 0 ? a : 0) + (b > 0 ? b : 0), negative = (a < 0 ? a : 0) + (b < 0 ? b : 0);
  return positive <= 128 && negative >= -128;
}

/// Weight k of tap t of a channel; 0 behind the run.
inline int8_t weight_at(const ConvWeightsU8S8& w, size_t c, size_t t, size_t k) {
  return k < w.depth ? w.weights[(c * w.taps + t) * w.depth + k] : int8_t{0};
}

inline bool panel_is_safe(const ConvWeightsU8S8& w, size_t first, size_t count) {
  for (size_t c = first; c < first + count; ++c)
    for (size_t t = 0; t < w.taps; ++t)
      for (size_t k = 0; k < w.depth; k += 2)
        if (!pair_is_safe(weight_at(w, c, t, k), weight_at(w, c, t, k + 1))) return false;
  return true;
}

/// Bytes: [tap][group][slot][4 of k]. Words: [tap][group][2 pairs][slot][2 of k].
inline void pack_panel(const ConvWeightsU8S8& w, const ConvHeader& h, size_t first, size_t count,
                       ConvPanel& panel) {
  auto* bytes = reinterpret_cast<int8_t*>(&panel + 1);
  auto* words = reinterpret_cast<int16_t*>(&panel + 1);
  __builtin_memset(bytes, 0, panel_bytes(h) - sizeof(ConvPanel));
  for (size_t c = 0; c < count; ++c)
    for (size_t t = 0; t < w.taps; ++t)
      for (size_t k = 0; k < w.depth; ++k) {
        const int8_t weight = weight_at(w, first + c, t, k);
        const size_t group = (t * h.groups + k / 4) * kPanel * 4, slot = slot_of(c);
        if (panel.bytes)
          bytes[group + slot * 4 + k % 4] = weight;
        else
          words[group + (k / 2 % 2 * kPanel + slot) * 2 + k % 2] = weight;
      }
}

inline void conv_pack(const ConvWeightsU8S8& w, void* packed) noexcept {
  auto& header = *static_cast<ConvHeader*>(packed);
  header = header_of(w);
  const size_t terms = w.taps * w.depth;
  for (size_t c = 0; c < w.out_channels; ++c)
    header.flags.wide = header.flags.wide || !is_narrow(w.weights + c * terms, terms, w.requantize.bias[c],
                                                        w.requantize.multiplier[c]);
  auto* at = reinterpret_cast<uint8_t*>(&header + 1);
  for (size_t first = 0; first < w.out_channels; first += kPanel, at += panel_bytes(header)) {
    const size_t count = w.out_channels - first < kPanel ? w.out_channels - first : kPanel;
    auto& panel = *reinterpret_cast<ConvPanel*>(at);
    pack_constants(w.requantize, first, count, panel.constants, header.flags);
    panel.bytes = panel_is_safe(w, first, count);
    pack_panel(w, header, first, count, panel);
  }
}

using Tile = simd::ConvTile<ConvHeader, ConvPanel>;

[[gnu::always_inline]] inline __m256i broadcast_dword(const void* p) {
  int dword;
  __builtin_memcpy(&dword, p, sizeof dword);
  return _mm256_set1_epi32(dword);
}

template <int kPixels>
[[gnu::always_inline]] inline void start_sums(const Tile& tile, PixelSums (&sums)[kPixels]) {
#pragma GCC unroll 4
  for (int m = 0; m < kPixels; ++m)
    for (int j = 0; j < 2; ++j) sums[m].v[j] = load_256(tile.constants->constants.bias + 8 * j);
}

template <int kPixels>
[[gnu::always_inline]] inline void multiply_bytes(const Tile& tile, PixelSums (&sums)[kPixels]) {
  const auto* w = reinterpret_cast<const int8_t*>(tile.constants + 1);
  const size_t stride = tile.call->x_pixel_stride;
  const __m256i ones = _mm256_set1_epi16(1);
  w += tile.taps.begin * tile.header->groups * 64;
  for (size_t t = tile.taps.begin; t < tile.taps.end; ++t) {
    const uint8_t* x = tile.x + tile.call->tap_offsets[t];
    for (size_t g = 0; g < tile.header->groups; ++g, x += 4, w += 64) {
      const __m256i w0 = load_256(w), w1 = load_256(w + 32);
#pragma GCC unroll 4
      for (int m = 0; m < kPixels; ++m) {
        const __m256i pixel = broadcast_dword(x + static_cast<size_t>(m) * stride);
        sums[m].v[0] =
            _mm256_add_epi32(sums[m].v[0], _mm256_madd_epi16(_mm256_maddubs_epi16(pixel, w0), ones));
        sums[m].v[1] =
            _mm256_add_epi32(sums[m].v[1], _mm256_madd_epi16(_mm256_maddubs_epi16(pixel, w1), ones));
      }
    }
  }
}

/// Dwords of a run that are widened at once: four pixels of them stay in the L1 cache.
constexpr size_t kWidened = 256;

/// Bytes to words, for `groups` dwords; the last ones singly, so that nothing behind the run is read.
[[gnu::always_inline]] inline void widen(const uint8_t* x, size_t groups, int16_t* to) {
  for (; groups >= 4; groups -= 4, x += 16, to += 16)
    _mm256_store_si256(reinterpret_cast<__m256i*>(to),
                       _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x))));
  for (; groups > 0; --groups, x += 4, to += 4) {
    int dword;
    __builtin_memcpy(&dword, x, sizeof dword);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_cvtepu8_epi16(_mm_cvtsi32_si128(dword)));
  }
}

template <int kPixels>
[[gnu::always_inline]] inline void multiply_words(const Tile& tile, PixelSums (&sums)[kPixels]) {
  const auto* w = reinterpret_cast<const int16_t*>(tile.constants + 1);
  const size_t stride = tile.call->x_pixel_stride;
  alignas(64) int16_t pixels[kPixels][4 * kWidened];
  w += tile.taps.begin * tile.header->groups * 64;
  for (size_t t = tile.taps.begin; t < tile.taps.end; ++t)
    for (size_t done = 0; done < tile.header->groups; done += kWidened) {
      const size_t left = tile.header->groups - done, groups = left < kWidened ? left : kWidened;
      const uint8_t* x = tile.x + tile.call->tap_offsets[t] + 4 * done;
      for (int m = 0; m < kPixels; ++m) widen(x + static_cast<size_t>(m) * stride, groups, pixels[m]);
      for (size_t pair = 0; pair < 2 * groups; ++pair, w += 32) {
        const __m256i w0 = load_256(w), w1 = load_256(w + 16);
#pragma GCC unroll 4
        for (int m = 0; m < kPixels; ++m) {
          const __m256i pixel = broadcast_dword(&pixels[m][2 * pair]);
          sums[m].v[0] = _mm256_add_epi32(sums[m].v[0], _mm256_madd_epi16(pixel, w0));
          sums[m].v[1] = _mm256_add_epi32(sums[m].v[1], _mm256_madd_epi16(pixel, w1));
        }
      }
    }
}

template <int kPixels>
void store_reals(const Tile& tile, const PixelSums (&sums)[kPixels]) {
  for (int m = 0; m < kPixels; ++m) {
    alignas(32) float slots[kPanel];
    for (int j = 0; j < 2; ++j)
      _mm256_store_ps(slots + 8 * j, scaled(sums[m].v[j], tile.constants->constants, j));
    float* y = tile.real + static_cast<size_t>(m) * tile.call->y_pixel_stride;
    for (size_t c = 0; c < tile.channels; ++c) y[c] = slots[slot_of(c)];
  }
}

template <bool kFull, int kPixels>
void run_tile(const Tile& tile) {
  PixelSums sums[kPixels];
  start_sums(tile, sums);
  if (tile.constants->bytes)
    multiply_bytes(tile, sums);
  else
    multiply_words(tile, sums);
  if (kFull && tile.real != nullptr) return store_reals(tile, sums);
  const PanelConstants& constants = tile.constants->constants;
  const PanelFlags& flags = tile.header->flags;
  const EpilogueU8& e = tile.call->epilogue;
  const auto store = [&](int m, __m128i codes) __attribute__((always_inline)) {
    const size_t pixel = static_cast<size_t>(m);
    const uint8_t* b = kFull ? simd::moved(tile.b, pixel * e.b_pixel_stride) : nullptr;
    store_pixel<kFull>(codes, constants, flags.clamps, e, b, tile.channels,
                       tile.y + pixel * tile.call->y_pixel_stride);
  };
#pragma GCC unroll 2
  for (int m = 0; m < kPixels; m += 2) {
    const int second = m + 1 < kPixels ? m + 1 : m;
    const __m256i codes = requantized(sums[m], sums[second], constants, kFull && flags.wide);
    store(m, _mm256_castsi256_si128(codes));
    if (second != m) store(second, _mm256_extracti128_si256(codes, 1));
  }
}

/// What simd::conv needs of this level.
struct ConvLevel {
  static constexpr size_t kChannels = kPanel;
  using Header = ConvHeader;
  using Panel = ConvPanel;
  enum class Mode { kPlain, kFull };
  static Mode mode_of(const ConvU8S8& call, const ConvHeader& h) {
    const bool full = h.flags.clamps || h.flags.wide || call.epilogue.b != nullptr || call.real != nullptr;
    return full ? Mode::kFull : Mode::kPlain;
  }
  static size_t bytes_before(const ConvHeader& h, size_t panels) { return panels * panel_bytes(h); }
  static size_t most_pixels(size_t) { return 4; }
  static void run(const Tile& tile, size_t pixels, Mode mode) {
    static constexpr void (*kFunctions[2][4])(const Tile&) = {
        {run_tile<false, 1>, run_tile<false, 2>, run_tile<false, 3>, run_tile<false, 4>},
        {run_tile<true, 1>, run_tile<true, 2>, run_tile<true, 3>, run_tile<true, 4>}};
    kFunctions[mode == Mode::kFull ? 1 : 0][pixels - 1](tile);
  }
};

}  // namespace

}  // namespace quantize
