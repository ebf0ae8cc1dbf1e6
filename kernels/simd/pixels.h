// From planes of bytes to pixels of up to four channels.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace quantize {
namespace {

/// Pixels that are made at once.
constexpr size_t kPixelRun = 16;

/// Their bytes in one channel.
using PlaneBytes = __m128i;

/// Four registers of four pixels each.
struct PixelBytes {
  __m128i v[4];
};

[[maybe_unused, gnu::always_inline]] inline PixelBytes pixels_of(const PlaneBytes (&planes)[4]) {
  const __m128i low_01 = _mm_unpacklo_epi8(planes[0], planes[1]),
                high_01 = _mm_unpackhi_epi8(planes[0], planes[1]),
                low_23 = _mm_unpacklo_epi8(planes[2], planes[3]),
                high_23 = _mm_unpackhi_epi8(planes[2], planes[3]);
  return {{_mm_unpacklo_epi16(low_01, low_23), _mm_unpackhi_epi16(low_01, low_23),
           _mm_unpacklo_epi16(high_01, high_23), _mm_unpackhi_epi16(high_01, high_23)}};
}

/// The first `channels` of `count` pixels, one by one.
template <size_t kChannels>
[[gnu::always_inline]] inline void store_each(const PixelBytes& pixels, size_t count, uint8_t* y,
                                              size_t stride) {
  alignas(16) uint8_t bytes[4 * kPixelRun];
  for (int i = 0; i < 4; ++i) _mm_store_si128(reinterpret_cast<__m128i*>(bytes) + i, pixels.v[i]);
  for (size_t p = 0; p < count; ++p) __builtin_memcpy(y + p * stride, bytes + 4 * p, kChannels);
}

/// Sixteen pixels of four bytes without gaps.
[[maybe_unused, gnu::always_inline]] inline void store_dense_4(const PixelBytes& pixels, uint8_t* y) {
  for (int i = 0; i < 4; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(y) + i, pixels.v[i]);
}

/// Sixteen pixels of three bytes without gaps.
[[maybe_unused, gnu::always_inline]] inline void store_dense_3(const PixelBytes& pixels, uint8_t* y) {
  const __m128i first_three = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  for (int i = 0; i < 4; ++i, y += 12) {
    const __m128i bytes = _mm_shuffle_epi8(pixels.v[i], first_three);
    const int last = _mm_extract_epi32(bytes, 2);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(y), bytes);
    __builtin_memcpy(y + 8, &last, sizeof last);
  }
}

/// The first kChannels bytes of `count` pixels.
template <size_t kChannels>
[[gnu::always_inline]] inline void store_pixels(const PlaneBytes (&planes)[4], size_t count, uint8_t* y,
                                                size_t stride) {
  const PixelBytes pixels = pixels_of(planes);
  const bool dense = stride == kChannels && count == kPixelRun;
  if (kChannels == 4 && dense) return store_dense_4(pixels, y);
  if (kChannels == 3 && dense) return store_dense_3(pixels, y);
  store_each<kChannels>(pixels, count, y, stride);
}

}  // namespace
}  // namespace quantize
