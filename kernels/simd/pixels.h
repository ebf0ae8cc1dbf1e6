// From planes of bytes to pixels of up to four channels, for any vector B of sixteen bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quantize::simd {

/// Pixels that are made at once.
constexpr size_t kPixelRun = 16;

/// Four registers of four pixels each.
template <typename B>
struct PixelBytes {
  typename B::Reg v[4];
};

/// The first kChannels of `count` pixels, one by one.
template <typename B, size_t kChannels>
[[gnu::always_inline]] inline void store_each(const PixelBytes<B>& pixels, size_t count, uint8_t* y,
                                              size_t stride) {
  alignas(16) uint8_t bytes[4 * kPixelRun];
  for (int i = 0; i < 4; ++i) B::store(bytes + 16 * i, pixels.v[i]);
  for (size_t p = 0; p < count; ++p) __builtin_memcpy(y + p * stride, bytes + 4 * p, kChannels);
}

/// Sixteen pixels of four bytes without gaps.
template <typename B>
[[gnu::always_inline]] inline void store_dense_4(const PixelBytes<B>& pixels, uint8_t* y) {
  for (int i = 0; i < 4; ++i) B::store(y + 16 * i, pixels.v[i]);
}

/// Sixteen pixels of three bytes without gaps.
template <typename B>
[[gnu::always_inline]] inline void store_dense_3(const PixelBytes<B>& pixels, uint8_t* y) {
  alignas(16) static constexpr uint8_t kFirstThree[] = {0,  1,  2,  4,  5,   6,   8,   9,
                                                        10, 12, 13, 14, 255, 255, 255, 255};
  const auto first_three = B::load(kFirstThree);
  for (int i = 0; i < 4; ++i, y += 12) B::store_twelve(y, B::shuffle(pixels.v[i], first_three));
}

/// The first kChannels bytes of `count` pixels.
template <typename B, size_t kChannels>
[[gnu::always_inline]] inline void store_pixels(const typename B::Reg (&planes)[4], size_t count, uint8_t* y,
                                                size_t stride) {
  PixelBytes<B> pixels;
  B::interleave(planes, pixels.v);
  const bool dense = stride == kChannels && count == kPixelRun;
  if (kChannels == 4 && dense) return store_dense_4(pixels, y);
  if (kChannels == 3 && dense) return store_dense_3(pixels, y);
  store_each<B, kChannels>(pixels, count, y, stride);
}

}  // namespace quantize::simd
