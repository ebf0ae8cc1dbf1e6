// conv_u8s8 in AVX2, exact: parts whose pairs of weights cannot saturate multiply bytes (maddubs), the
// others widened words (maddwd). Read simd/conv.h first, then run_tile().
#pragma once

#include "kernels/avx2/requantize.h"
#include "kernels/simd/conv.h"

namespace quantize {

namespace {

/// A panel is four parts of sixteen channels, which share the widened pixels.
constexpr size_t kParts = 4;

struct alignas(64) ConvHeader {
  size_t channels, taps, groups;  // groups: dwords of a tap's run
  size_t part_bytes;
  PanelFlags flags;
  bool words;  // some part multiplies words
};

/// A part's constants; the weights follow, as bytes if `bytes`, else as words.
struct alignas(64) ConvPart {
  PanelConstants constants;
  bool bytes;
};

inline size_t part_count(size_t channels) {
  return (channels + kPanel - 1) / kPanel;
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

inline bool part_is_safe(const ConvWeightsU8S8& w, size_t first, size_t count) {
  for (size_t c = first; c < first + count; ++c)
    for (size_t t = 0; t < w.taps; ++t)
      for (size_t k = 0; k < w.depth; k += 2)
        if (!pair_is_safe(weight_at(w, c, t, k), weight_at(w, c, t, k + 1))) return false;
  return true;
}

inline size_t channels_from(const ConvWeightsU8S8& w, size_t first) {
  const size_t left = w.out_channels - first;
  return left < kPanel ? left : kPanel;
}

inline ConvHeader header_of(const ConvWeightsU8S8& w) {
  ConvHeader h{w.out_channels, w.taps, (w.depth + 3) / 4, 0, {false, false}, false};
  for (size_t first = 0; first < w.out_channels; first += kPanel)
    h.words = h.words || !part_is_safe(w, first, channels_from(w, first));
  // Words take twice as much; if one part needs it, all have it, so that they stand at equal distances.
  h.part_bytes = sizeof(ConvPart) + h.taps * h.groups * kPanel * 4 * (h.words ? 2 : 1);
  const size_t terms = w.taps * w.depth;
  for (size_t c = 0; c < w.out_channels; ++c)
    h.flags.wide = h.flags.wide ||
                   !is_narrow(w.weights + c * terms, terms, w.requantize.bias[c], w.requantize.multiplier[c]);
  return h;
}

inline size_t conv_bytes(const ConvWeightsU8S8& w) noexcept {
  return sizeof(ConvHeader) + part_count(w.out_channels) * header_of(w).part_bytes;
}

/// Bytes: [tap][group][slot][4 of k]. Words: [tap][group][2 pairs][slot][2 of k].
inline void pack_part(const ConvWeightsU8S8& w, const ConvHeader& h, size_t first, size_t count,
                      ConvPart& part) {
  auto* bytes = reinterpret_cast<int8_t*>(&part + 1);
  auto* words = reinterpret_cast<int16_t*>(&part + 1);
  __builtin_memset(bytes, 0, h.part_bytes - sizeof(ConvPart));
  for (size_t c = 0; c < count; ++c)
    for (size_t t = 0; t < w.taps; ++t)
      for (size_t k = 0; k < w.depth; ++k) {
        const int8_t weight = weight_at(w, first + c, t, k);
        const size_t group = (t * h.groups + k / 4) * kPanel * 4, slot = slot_of<kPanel>(c);
        if (part.bytes)
          bytes[group + slot * 4 + k % 4] = weight;
        else
          words[group + (k / 2 % 2 * kPanel + slot) * 2 + k % 2] = weight;
      }
}

inline void conv_pack(const ConvWeightsU8S8& w, void* packed) noexcept {
  auto& header = *static_cast<ConvHeader*>(packed);
  header = header_of(w);
  auto* at = reinterpret_cast<uint8_t*>(&header + 1);
  for (size_t first = 0; first < w.out_channels; first += kPanel, at += header.part_bytes) {
    const size_t count = channels_from(w, first);
    auto& part = *reinterpret_cast<ConvPart*>(at);
    pack_constants(w.requantize, first, count, part.constants, header.flags);
    part.bytes = part_is_safe(w, first, count);
    pack_part(w, header, first, count, part);
  }
}

using Tile = simd::ConvTile<ConvHeader, ConvPart>;

/// Sixteen channels of a panel, or what there is of them.
struct Part {
  const ConvPart* constants;
  size_t first, channels;
};
[[gnu::always_inline]] inline Part part_of(const Tile& tile, size_t i) {
  const size_t first = i * kPanel, left = tile.channels - first;
  const auto* at = reinterpret_cast<const uint8_t*>(tile.constants) + i * tile.header->part_bytes;
  return {reinterpret_cast<const ConvPart*>(at), first, left < kPanel ? left : kPanel};
}

[[gnu::always_inline]] inline __m256i broadcast_dword(const void* p) {
  int dword;
  __builtin_memcpy(&dword, p, sizeof dword);
  return _mm256_set1_epi32(dword);
}

template <int kPixels>
[[gnu::always_inline]] inline void start_sums(const Part& part, PixelSums (&sums)[kPixels]) {
#pragma GCC unroll 4
  for (int m = 0; m < kPixels; ++m)
    for (int j = 0; j < 2; ++j) sums[m].v[j] = load_256(part.constants->constants.bias + 8 * j);
}

template <int kPixels>
[[gnu::always_inline]] inline void multiply_bytes(const Tile& tile, const Part& part,
                                                  PixelSums (&sums)[kPixels]) {
  const auto* w = reinterpret_cast<const int8_t*>(part.constants + 1);
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

/// Dwords of a pixel that are widened at once: those of four pixels fill half of an L1 cache.
constexpr size_t kWidened = 512;

template <int kPixels>
struct alignas(64) WidenedPixels {
  int16_t words[kPixels][4 * kWidened + 32];  // the rest keeps the rows from sharing the cache's sets
};

/// Bytes to words, for `groups` dwords; nothing behind them is read.
[[gnu::always_inline]] inline void widen(const uint8_t* x, size_t groups, int16_t* to) {
  for (; groups >= 4; groups -= 4, x += 16, to += 16)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x))));
  if (groups >= 2) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(x))));
    groups -= 2, x += 8, to += 8;
  }
  if (groups > 0) {
    int dword;
    __builtin_memcpy(&dword, x, sizeof dword);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_cvtepu8_epi16(_mm_cvtsi32_si128(dword)));
  }
}

/// How far the taps' runs have been widened.
struct Progress {
  size_t tap, group;
};

/// Widens as much as there is room for. Returns the number of dwords.
template <int kPixels>
size_t widen_next(const Tile& tile, Progress& at, WidenedPixels<kPixels>& to) {
  const size_t groups = tile.header->groups, stride = tile.call->x_pixel_stride;
  size_t filled = 0;
  while (at.tap < tile.taps.end && filled < kWidened) {
    const size_t left = groups - at.group, room = kWidened - filled, n = left < room ? left : room;
    const uint8_t* x = tile.x + tile.call->tap_offsets[at.tap] + 4 * at.group;
    for (int m = 0; m < kPixels; ++m) widen(x + static_cast<size_t>(m) * stride, n, to.words[m] + 4 * filled);
    filled += n;
    at.group += n;
    if (at.group == groups) at = {at.tap + 1, 0};
  }
  return filled;
}

template <int kPixels>
[[gnu::always_inline]] inline void multiply_words(const WidenedPixels<kPixels>& x, size_t groups,
                                                  const int16_t* w, PixelSums (&sums)[kPixels]) {
  for (size_t pair = 0; pair < 2 * groups; ++pair, w += 32) {
    const __m256i w0 = load_256(w), w1 = load_256(w + 16);
#pragma GCC unroll 4
    for (int m = 0; m < kPixels; ++m) {
      const __m256i pixel = broadcast_dword(&x.words[m][2 * pair]);
      sums[m].v[0] = _mm256_add_epi32(sums[m].v[0], _mm256_madd_epi16(pixel, w0));
      sums[m].v[1] = _mm256_add_epi32(sums[m].v[1], _mm256_madd_epi16(pixel, w1));
    }
  }
}

template <int kPixels>
[[gnu::noinline]] void store_reals(const Tile& tile, const Part& part, const PixelSums (&sums)[kPixels]) {
  for (int m = 0; m < kPixels; ++m) {
    alignas(32) float slots[kPanel];
    for (int j = 0; j < 2; ++j)
      _mm256_store_ps(slots + 8 * j, scaled(sums[m].v[j], part.constants->constants, j));
    float* y = tile.real + static_cast<size_t>(m) * tile.call->y_pixel_stride + part.first;
    for (size_t c = 0; c < part.channels; ++c) y[c] = slots[slot_of<kPanel>(c)];
  }
}

/// What follows the sums: only requantization, the usual residual as second or first operand, or all there
/// is.
enum class Mode { kPlain, kAdd, kAddToResidual, kFull };

/// The codes of pixels m and m + 1 of a part, or twice those of m if it is the last.
template <Mode kMode, int kPixels>
[[gnu::always_inline]] inline __m256i codes_of(const Tile& tile, const Part& part, int m,
                                               const PixelSums (&sums)[kPixels]) {
  const PanelConstants& constants = part.constants->constants;
  const PanelFlags& flags = tile.header->flags;
  const EpilogueU8& e = tile.call->epilogue;
  const int next = m + 1 < kPixels ? m + 1 : m;
  const auto residual = [&](int pixel) __attribute__((always_inline)) {
    return load_bytes(tile.b + static_cast<size_t>(pixel) * e.b_pixel_stride + part.first, part.channels);
  };
  if constexpr (kMode == Mode::kAdd || kMode == Mode::kAddToResidual) {
    constexpr bool kFirst = kMode == Mode::kAddToResidual;
    return packed_pixels(summed_words<kFirst>(sums[m], residual(m), constants, e),
                         summed_words<kFirst>(sums[next], residual(next), constants, e));
  }
  constexpr bool kFull = kMode == Mode::kFull;
  __m256i codes = requantized(sums[m], sums[next], constants, kFull && flags.wide);
  if (kFull && flags.clamps) codes = clamped(codes, constants);
  if (kFull && tile.b != nullptr) codes = added(codes, _mm256_set_m128i(residual(next), residual(m)), e);
  return codes;
}

/// From the sums of a part to its results.
template <Mode kMode, int kPixels>
[[gnu::always_inline]] inline void finish(const Tile& tile, const Part& part,
                                          const PixelSums (&sums)[kPixels]) {
  if (kMode == Mode::kFull && tile.real != nullptr) return store_reals(tile, part, sums);
  const size_t stride = tile.call->y_pixel_stride;
#pragma GCC unroll 2
  for (int m = 0; m < kPixels; m += 2) {
    const size_t second = m + 1 < kPixels ? part.channels : 0;
    uint8_t* y = tile.y + static_cast<size_t>(m) * stride + part.first;
    store_halves(y, stride, part.channels, second, codes_of<kMode>(tile, part, m, sums));
  }
}

/// The parts that multiply words, together: some of the pixels' dwords at a time for every part.
template <Mode kMode, int kPixels>
[[gnu::noinline]] void run_words(const Tile& tile) {
  const size_t parts = part_count(tile.channels);
  WidenedPixels<kPixels> pixels;
  PixelSums sums[kParts][kPixels];
  for (size_t i = 0; i < parts; ++i) start_sums(part_of(tile, i), sums[i]);
  Progress at{tile.taps.begin, 0};
  for (size_t done = tile.taps.begin * tile.header->groups; at.tap < tile.taps.end;) {
    const size_t groups = widen_next(tile, at, pixels);
    for (size_t i = 0; i < parts; ++i) {
      const ConvPart* part = part_of(tile, i).constants;
      if (part->bytes) continue;
      PixelSums part_sums[kPixels];
      __builtin_memcpy(part_sums, sums[i], sizeof part_sums);
      multiply_words(pixels, groups, reinterpret_cast<const int16_t*>(part + 1) + 64 * done, part_sums);
      __builtin_memcpy(sums[i], part_sums, sizeof part_sums);
    }
    done += groups;
  }
  for (size_t i = 0; i < parts; ++i)
    if (const Part part = part_of(tile, i); !part.constants->bytes) finish<kMode>(tile, part, sums[i]);
}

template <Mode kMode, int kPixels>
void run_tile(const Tile& tile) {
  const size_t parts = part_count(tile.channels);
  for (size_t i = 0; i < parts; ++i) {
    const Part part = part_of(tile, i);
    if (!part.constants->bytes) continue;
    PixelSums sums[kPixels];
    start_sums(part, sums);
    multiply_bytes(tile, part, sums);
    finish<kMode>(tile, part, sums);
  }
  if (tile.header->words) run_words<kMode, kPixels>(tile);
}

template <Mode kMode>
void run_pixels(const Tile& tile, size_t pixels) {
  static constexpr void (*kFunctions[])(const Tile&) = {run_tile<kMode, 1>, run_tile<kMode, 2>,
                                                        run_tile<kMode, 3>, run_tile<kMode, 4>};
  kFunctions[pixels - 1](tile);
}

/// What simd::conv needs of this level.
struct ConvLevel {
  static constexpr size_t kChannels = kParts * kPanel;
  using Header = ConvHeader;
  using Panel = ConvPart;
  using Mode = quantize::Mode;
  static Mode mode_of(const ConvU8S8& call, const ConvHeader& h) {
    const EpilogueU8& e = call.epilogue;
    if (h.flags.clamps || h.flags.wide || call.real != nullptr) return Mode::kFull;
    if (e.b == nullptr) return Mode::kPlain;
    if (is_wide(e)) return Mode::kFull;
    return e.b_first ? Mode::kAddToResidual : Mode::kAdd;
  }
  static size_t bytes_before(const ConvHeader& h, size_t panels) { return panels * kParts * h.part_bytes; }
  static size_t most_pixels(size_t) { return 4; }
  static void run(const Tile& tile, size_t pixels, Mode mode) {
    static constexpr void (*kFunctions[])(const Tile&, size_t) = {
        run_pixels<Mode::kPlain>, run_pixels<Mode::kAdd>, run_pixels<Mode::kAddToResidual>,
        run_pixels<Mode::kFull>};
    kFunctions[static_cast<size_t>(mode)](tile, pixels);
  }
};

}  // namespace

}  // namespace quantize
