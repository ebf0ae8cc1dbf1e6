// The common part of packing integer weights. In an anonymous namespace: see kernels/DECISIONS.md.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quantize::simd {

namespace {

/// A channel's weights of one tap as dwords `pitch` bytes apart; what a last dword lacks is left alone.
inline void pack_run(const int8_t* from, size_t depth, int8_t* to, size_t pitch) {
  for (; depth >= 4; depth -= 4, from += 4, to += pitch) __builtin_memcpy(to, from, 4);
  for (size_t k = 0; k < depth; ++k) to[k] = from[k];
}

/// No sum of products of these weights with codes is further from 0.
inline double largest_sum(const int8_t* weights, size_t count, int32_t bias) {
  int64_t magnitudes = 0;
  constexpr size_t kBlock = size_t{1} << 20;  // whose sum fits in s32
  for (size_t i = 0; i < count;) {
    int32_t sum = 0;
    for (const size_t end = count - i < kBlock ? count : i + kBlock; i < end; ++i)
      sum += __builtin_abs(weights[i]);
    magnitudes += sum;
  }
  return 255.0 * static_cast<double>(magnitudes) + __builtin_fabs(static_cast<double>(bias));
}

}  // namespace

}  // namespace quantize::simd
