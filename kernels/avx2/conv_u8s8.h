// conv_u8s8 in AVX2, exact: parts whose pairs of weights cannot saturate multiply bytes (maddubs), the
// others widened words (maddwd). Read conv_tile.h first, then ExactProduct.
#pragma once

#include "kernels/avx2/conv_tile.h"

namespace quantize {

namespace {

/// maddubs adds two products in s16: with inputs up to 255 they fit if the positive weights of the pair sum
/// to at most 128 and the negative ones to at least -128.
inline bool pair_is_safe(int a, int b) {
  const int positive = (a > 0 ? a : 0) + (b > 0 ? b : 0), negative = (a < 0 ? a : 0) + (b < 0 ? b : 0);
  return positive <= 128 && negative >= -128;
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

struct ExactProduct {
  static constexpr int kPixels = 4;

  static bool bytes_are_exact(const ConvWeightsU8S8& w, size_t first, size_t count) {
    for (size_t c = first; c < first + count; ++c)
      for (size_t t = 0; t < w.taps; ++t)
        for (size_t k = 0; k < w.depth; k += 2)
          if (!pair_is_safe(weight_at(w, c, t, k), weight_at(w, c, t, k + 1))) return false;
    return true;
  }

  template <Mode kMode, int kCount>
  [[gnu::noinline]] static void run_tile(const Tile& tile) {
    const size_t parts = part_count(tile.channels);
    for (size_t i = 0; i < parts; ++i) {
      const Part part = part_of(tile, i);
      if (!part.constants->bytes) continue;
      PixelSums sums[kCount];
      start_sums(part, sums);
      multiply_bytes(tile, part, sums);
      finish<kMode>(tile, part, sums);
    }
    if (tile.header->words) run_words<kMode, kCount>(tile);
  }
};

}  // namespace

}  // namespace quantize
