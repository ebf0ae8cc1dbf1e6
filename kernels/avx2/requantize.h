// From s32 sums to codes, sixteen channels at a time. Everything in an anonymous namespace: see
// kernels/DECISIONS.md.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/integer.h"
#include "kernels/simd/pack.h"

namespace quantize {

namespace {

constexpr size_t kPanel = 16;

/// Beyond this, every code is at the end of its range anyway; a float up to it converts to s32.
constexpr float kSafe = 1e9f;

/// Sums of kChannels channels stand so that saturating packs bring the channels into their order. Element e
/// of 128-bit lane l of vector j is channel 4 (l * kChannels / 8 + j) + e.
template <size_t kChannels>
constexpr size_t slot_of(size_t c) {
  constexpr size_t kVectors = kChannels / 8;
  return 8 * (c / 4 % kVectors) + 4 * (c / 4 / kVectors) + c % 4;
}
/// The same after the first packs.
template <size_t kChannels>
constexpr size_t word_slot_of(size_t c) {
  constexpr size_t kVectors = kChannels / 16;
  return 16 * (c / 8 % kVectors) + 8 * (c / 8 / kVectors) + c % 8;
}

/// The constants of some channels.
template <size_t kChannels>
struct alignas(64) ConstantsOf {
  int32_t bias[kChannels];        // by slot
  float multiplier[kChannels];    // by slot
  float zero_real[kChannels];     // by slot, as the next
  int16_t zero_point[kChannels];  // by slot of words
  uint8_t low[kChannels], high[kChannels];
};
using PanelConstants = ConstantsOf<kPanel>;

/// The work that a layer's constants ask for beyond the plain case.
struct PanelFlags {
  bool clamps;  // a low or high is not the end of u8
  bool wide;    // products may leave the range of s32
};

template <size_t kChannels>
void pack_constants(const RequantizeU8& r, size_t first, size_t count, ConstantsOf<kChannels>& to,
                    PanelFlags& flags) {
  for (size_t c = 0; c < kChannels; ++c) {
    const bool used = c < count;
    to.bias[slot_of<kChannels>(c)] = used ? r.bias[first + c] : 0;
    to.multiplier[slot_of<kChannels>(c)] = used ? r.multiplier[first + c] : 0;
    to.zero_real[slot_of<kChannels>(c)] = used ? static_cast<float>(r.zero_point[first + c]) : 0;
    to.zero_point[word_slot_of<kChannels>(c)] =
        used ? static_cast<int16_t>(r.zero_point[first + c]) : int16_t{0};
    to.low[c] = used ? r.low[first + c] : 0;
    to.high[c] = used ? r.high[first + c] : 255;
    flags.clamps = flags.clamps || to.low[c] != 0 || to.high[c] != 255;
  }
}

/// True if no sum of these weights times the multiplier can leave the range of s32.
inline bool is_narrow(const int8_t* weights, size_t count, int32_t bias, float multiplier) {
  return simd::largest_sum(weights, count, bias) * static_cast<double>(multiplier) <
         static_cast<double>(kSafe);
}

/// Below the range of s32 a conversion gives INT32_MIN, as it should, and so it does above, which this
/// prevents. A NaN becomes the upper end, as the reference has it.
[[gnu::always_inline]] inline __m256 limit(__m256 x) {
  return _mm256_min_ps(x, _mm256_set1_ps(kSafe));
}

[[gnu::always_inline]] inline __m256i load_256(const void* p) {
  return _mm256_load_si256(static_cast<const __m256i*>(p));
}
template <size_t kChannels>
[[gnu::always_inline]] inline __m256 scaled(__m256i sums, const ConstantsOf<kChannels>& constants, int j) {
  return _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_load_ps(constants.multiplier + 8 * j));
}

/// The sums of one pixel.
template <size_t kChannels>
struct SumsOf {
  __m256i v[kChannels / 8];
};
using PixelSums = SumsOf<kPanel>;

/// Reals of kChannels channels to their places, of which `channels` exist: as the packs, lanes change places.
template <size_t kChannels>
[[gnu::always_inline]] inline void store_reals(float* y, size_t channels, const SumsOf<kChannels>& sums,
                                               const ConstantsOf<kChannels>& constants) {
  constexpr size_t kVectors = kChannels / 8;
  __m256 reals[kVectors], ordered[kVectors];
#pragma GCC unroll 4
  for (size_t j = 0; j < kVectors; ++j) reals[j] = scaled(sums.v[j], constants, static_cast<int>(j));
#pragma GCC unroll 2
  for (size_t j = 0; j < kVectors; j += 2) {
    ordered[j / 2] = _mm256_permute2f128_ps(reals[j], reals[j + 1], 0x20);
    ordered[kVectors / 2 + j / 2] = _mm256_permute2f128_ps(reals[j], reals[j + 1], 0x31);
  }
#pragma GCC unroll 4
  for (size_t j = 0; j < kVectors; ++j) {
    if (8 * j >= channels) return;
    if (channels - 8 * j >= 8) {
      _mm256_storeu_ps(y + 8 * j, ordered[j]);
      continue;
    }
    alignas(32) float lanes[8];
    _mm256_store_ps(lanes, ordered[j]);
    for (size_t c = 8 * j; c < channels; ++c) y[c] = lanes[c % 8];
  }
}

/// Up to `n` bytes; what is behind them is 0.
[[gnu::always_inline]] inline __m128i load_bytes(const uint8_t* p, size_t n) {
  if (n >= 16) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  alignas(16) uint8_t bytes[16] = {};
  for (size_t i = 0; i < n; ++i) bytes[i] = p[i];
  return _mm_load_si128(reinterpret_cast<const __m128i*>(bytes));
}
[[gnu::always_inline]] inline void store_bytes(uint8_t* p, size_t n, __m128i x) {
  if (n >= 16) return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), x);
  if (n & 8) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), x);
    x = _mm_unpackhi_epi64(x, x);
    p += 8;
  }
  auto rest = static_cast<uint64_t>(_mm_cvtsi128_si64(x));
  for (n &= 7; n > 0; --n, rest >>= 8) *p++ = static_cast<uint8_t>(rest);
}

/// The same for two halves of 16 bytes, `stride` apart, of which `first` and `second` bytes exist.
[[gnu::always_inline]] inline __m256i load_halves(const uint8_t* p, size_t stride, size_t first,
                                                  size_t second) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(load_bytes(p, first)), load_bytes(p + stride, second),
                                 1);
}
[[gnu::always_inline]] inline void store_halves(uint8_t* p, size_t stride, size_t first, size_t second,
                                                __m256i x) {
  store_bytes(p, first, _mm256_castsi256_si128(x));
  if (second > 0) store_bytes(p + stride, second, _mm256_extracti128_si256(x, 1));
}

/// Sixteen words of two vectors of sums, with vector j of the zero points.
template <size_t kChannels>
[[gnu::always_inline]] inline __m256i requantized_words(const __m256i* sums, int j, bool wide,
                                                        const ConstantsOf<kChannels>& constants) {
  __m256 a = scaled(sums[0], constants, 2 * j), b = scaled(sums[1], constants, 2 * j + 1);
  if (wide) a = limit(a), b = limit(b);
  return _mm256_adds_epi16(_mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b)),
                           load_256(constants.zero_point + 16 * j));
}

/// Bytes of two pixels from their words: the first's sixteen, then the second's.
[[gnu::always_inline]] inline __m256i packed_pixels(__m256i first, __m256i second) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi16(first, second), _MM_SHUFFLE(3, 1, 2, 0));
}

/// The codes of sixteen channels of two pixels: the first's, then the second's.
[[gnu::always_inline]] inline __m256i requantized(const PixelSums& first, const PixelSums& second,
                                                  const PanelConstants& constants, bool wide) {
  return packed_pixels(requantized_words(first.v, 0, wide, constants),
                       requantized_words(second.v, 0, wide, constants));
}
/// The codes of thirty-two channels.
[[gnu::always_inline]] inline __m256i requantized(const SumsOf<32>& sums, const ConstantsOf<32>& constants,
                                                  bool wide) {
  return _mm256_packus_epi16(requantized_words(sums.v, 0, wide, constants),
                             requantized_words(sums.v + 2, 1, wide, constants));
}

[[gnu::always_inline]] inline __m256i clamped(__m256i codes, const PanelConstants& constants) {
  const auto both = [](const uint8_t* p) __attribute__((always_inline)) {
    return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
  };
  return _mm256_min_epu8(_mm256_max_epu8(codes, both(constants.low)), both(constants.high));
}
[[gnu::always_inline]] inline __m256i clamped(__m256i codes, const ConstantsOf<32>& constants) {
  return _mm256_min_epu8(_mm256_max_epu8(codes, load_256(constants.low)), load_256(constants.high));
}

/// Eight codes as floats.
[[gnu::always_inline]] inline __m256 floats(__m128i codes) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(codes));
}

/// Codes plus those of a residual.
[[gnu::always_inline]] inline __m256i added(__m256i a, __m256i b, const EpilogueU8& e) {
  const __m256i last = e.b_first ? b : a, first = e.b_first ? a : b;
  const __m256 last_ratio = _mm256_set1_ps(e.b_first ? e.b_ratio : e.a_ratio),
               first_ratio = _mm256_set1_ps(e.b_first ? e.a_ratio : e.b_ratio),
               offset = _mm256_set1_ps(e.offset);
  const auto rounded = [&](__m128i p, __m128i q) __attribute__((always_inline)) {
    const __m256 right = _mm256_fmadd_ps(floats(q), first_ratio, offset);
    return _mm256_cvtps_epi32(limit(_mm256_fmadd_ps(floats(p), last_ratio, right)));
  };
  const auto words = [&](__m128i p, __m128i q) __attribute__((always_inline)) {
    return _mm256_packs_epi32(rounded(p, q), rounded(_mm_srli_si128(p, 8), _mm_srli_si128(q, 8)));
  };
  const __m256i low = words(_mm256_castsi256_si128(last), _mm256_castsi256_si128(first)),
                high = words(_mm256_extracti128_si256(last, 1), _mm256_extracti128_si256(first, 1));
  return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high),
                                     _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/// Sixteen words: two vectors of sums, from vector j on, with a residual's codes that join them before they
/// are rounded, as words in the order that unpacks them to the sums' slots.
template <size_t kChannels>
[[gnu::always_inline]] inline __m256i joined_words(const __m256i* sums, int j, __m256i residual, bool wide,
                                                   const ConstantsOf<kChannels>& constants,
                                                   const EpilogueU8& e) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256 ratio = _mm256_set1_ps(e.b_ratio), offset = _mm256_set1_ps(e.offset);
  const auto rounded = [&](__m256i sum, __m256i codes, int at) __attribute__((always_inline)) {
    const __m256 right = _mm256_fmadd_ps(_mm256_cvtepi32_ps(codes), ratio, offset);
    const __m256 steps =
        _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_load_ps(constants.multiplier + 8 * at), right);
    return _mm256_cvtps_epi32(wide ? limit(steps) : steps);
  };
  return _mm256_packs_epi32(rounded(sums[0], _mm256_unpacklo_epi16(residual, zero), j),
                            rounded(sums[1], _mm256_unpackhi_epi16(residual, zero), j + 1));
}
/// The codes of thirty-two channels with those of a residual.
[[gnu::always_inline]] inline __m256i joined(const SumsOf<32>& sums, __m256i residual,
                                             const ConstantsOf<32>& constants, const EpilogueU8& e) {
  const __m256i zero = _mm256_setzero_si256();
  return _mm256_packus_epi16(
      joined_words(sums.v, 0, _mm256_unpacklo_epi8(residual, zero), true, constants, e),
      joined_words(sums.v + 2, 2, _mm256_unpackhi_epi8(residual, zero), true, constants, e));
}

/// True if sums of codes may leave the range of s32.
inline bool is_wide(const EpilogueU8& e) {
  const float magnitude =
      255 * (__builtin_fabsf(e.a_ratio) + __builtin_fabsf(e.b_ratio)) + __builtin_fabsf(e.offset);
  return !(magnitude < kSafe);
}

/// Sixteen words: the codes of a pixel, which stay floats until they are added to those of a residual. For
/// narrow sums. The way through bytes takes twice as long, and the tile that follows cannot begin before.
template <bool kResidualFirst>
[[gnu::always_inline]] inline __m256i summed_words(const PixelSums& sums, __m128i residual,
                                                   const PanelConstants& constants, const EpilogueU8& e) {
  const __m256 a_ratio = _mm256_set1_ps(e.a_ratio), b_ratio = _mm256_set1_ps(e.b_ratio),
               offset = _mm256_set1_ps(e.offset), highest = _mm256_set1_ps(255);
  const __m256i zero = _mm256_setzero_si256(), words = _mm256_cvtepu8_epi16(residual);
  const auto sum = [&](int j, __m256i other_codes) __attribute__((always_inline)) {
    const __m256 rounded =
        _mm256_round_ps(scaled(sums.v[j], constants, j), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 shifted = _mm256_add_ps(rounded, _mm256_load_ps(constants.zero_real + 8 * j));
    const __m256 code = _mm256_min_ps(_mm256_max_ps(shifted, _mm256_setzero_ps()), highest);
    const __m256 other = _mm256_cvtepi32_ps(other_codes);
    return _mm256_cvtps_epi32(kResidualFirst
                                  ? _mm256_fmadd_ps(other, b_ratio, _mm256_fmadd_ps(code, a_ratio, offset))
                                  : _mm256_fmadd_ps(code, a_ratio, _mm256_fmadd_ps(other, b_ratio, offset)));
  };
  return _mm256_packs_epi32(sum(0, _mm256_unpacklo_epi16(words, zero)),
                            sum(1, _mm256_unpackhi_epi16(words, zero)));
}

}  // namespace

}  // namespace quantize
