// Operations on codes for any vector type V: each code becomes a float lane, exactly, and a code again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace quantize::simd {

/// Beyond this, every code is at the end of its range anyway; a float up to it converts to s32.
constexpr float kSafeSteps = 1e9f;

/// Calls body(i, count) for runs of V::kLanes elements and what is left.
template <typename V, typename Body>
[[gnu::always_inline]] inline void each_run(size_t n, Body body) {
  size_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) body(i, V::kLanes);
  if (i < n) body(i, n - i);
}

/// The codes of a run as floats; lanes behind `count` are 0.
template <typename V>
[[gnu::always_inline]] inline typename V::Reg load_codes(const uint8_t* x, size_t count) {
  if (count == V::kLanes) return V::codes(x);
  uint8_t lanes[V::kLanes] = {};
  for (size_t i = 0; i < count; ++i) lanes[i] = x[i];
  return V::codes(lanes);
}

/// y = clamp(round_half_even(steps) + zero_point, 0, 255). A NaN becomes the upper end, as the reference has
/// it.
template <typename V>
[[gnu::always_inline]] inline void store_codes(typename V::Reg steps, int32_t zero_point, uint8_t* y,
                                               size_t count) {
  const auto safe = V::max(V::min(steps, V::set1(kSafeSteps)), V::set1(-kSafeSteps));
  const auto rounded = V::add_int(V::to_int(safe), zero_point);
  if (count == V::kLanes) return V::store_saturated(y, rounded);
  uint8_t lanes[V::kLanes];
  V::store_saturated(lanes, rounded);
  for (size_t i = 0; i < count; ++i) y[i] = lanes[i];
}

template <typename V>
void add_u8(const AddU8& call) noexcept {
  const auto a_ratio = V::set1(call.a_ratio), b_ratio = V::set1(call.b_ratio), offset = V::set1(call.offset);
  each_run<V>(
      call.n, [&](size_t i, size_t count) __attribute__((always_inline)) {
        const auto right = V::fma(load_codes<V>(call.b + i, count), b_ratio, offset);
        store_codes<V>(V::fma(load_codes<V>(call.a + i, count), a_ratio, right), 0, call.y + i, count);
      });
}

/// The product of two centred codes has 17 bits, so floats hold it.
template <typename V>
void mul_u8(const MulU8& call) noexcept {
  const auto a_zero = V::set1(static_cast<float>(call.a_zero_point)),
             b_zero = V::set1(static_cast<float>(call.b_zero_point)), multiplier = V::set1(call.multiplier);
  each_run<V>(
      call.n, [&](size_t i, size_t count) __attribute__((always_inline)) {
        const auto product = V::mul(V::sub(load_codes<V>(call.a + i, count), a_zero),
                                    V::sub(load_codes<V>(call.b + i, count), b_zero));
        store_codes<V>(V::mul(product, multiplier), call.zero_point, call.y + i, count);
      });
}

template <typename V>
void dequantize(const uint8_t* x, size_t n, float scale, int32_t zero_point, float* y) noexcept {
  const auto zero = V::set1(static_cast<float>(zero_point)), factor = V::set1(scale);
  each_run<V>(
      n, [&](size_t i, size_t count) __attribute__((always_inline)) {
        const auto real = V::mul(V::sub(load_codes<V>(x + i, count), zero), factor);
        V::store_first(y + i, static_cast<ptrdiff_t>(count), real);
      });
}

[[gnu::always_inline]] inline const uint8_t* pixel_of(const PoolU8& call, size_t row, size_t column) {
  return call.x + row * call.x_row_stride + column * call.x_pixel_stride;
}

/// B is a vector of bytes. What it leaves of the channels goes byte by byte.
template <typename B>
void max_pool(const PoolU8& call) noexcept {
  size_t c = 0;
  for (; c + B::kBytes <= call.channels; c += B::kBytes) {
    auto largest = B::load(call.x + c);
    for (size_t i = 0; i < call.rows; ++i)
      for (size_t j = 0; j < call.width; ++j) largest = B::max(largest, B::load(pixel_of(call, i, j) + c));
    B::store(call.y + c, largest);
  }
  for (; c < call.channels; ++c) {
    uint8_t largest = 0;
    for (size_t i = 0; i < call.rows; ++i)
      for (size_t j = 0; j < call.width; ++j) {
        const uint8_t code = pixel_of(call, i, j)[c];
        largest = code > largest ? code : largest;
      }
    call.y[c] = largest;
  }
}

/// Sums of integers, as many lanes of channels at a time.
template <typename V>
void average_pool(const PoolU8& call) noexcept {
  const auto multiplier = V::set1(call.multiplier);
  each_run<V>(
      call.channels, [&](size_t c, size_t count) __attribute__((always_inline)) {
        auto sums = V::zero_ints();
        for (size_t i = 0; i < call.rows; ++i) {
          const uint8_t* x = pixel_of(call, i, 0) + c;
          for (size_t j = 0; j < call.width; ++j, x += call.x_pixel_stride)
            sums = V::add_ints(sums, V::to_int(load_codes<V>(x, count)));
        }
        const auto steps = V::mul(V::to_floats(V::add_int(sums, call.offset)), multiplier);
        store_codes<V>(steps, call.zero_point, call.y + c, count);
      });
}

/// Codes of a run of each plane, then their bytes in turns.
template <typename V>
void quantize_planes(const float* x, size_t n, size_t channels, size_t x_plane_stride, float scale,
                     int32_t zero_point, uint8_t* y, size_t y_pixel_stride) noexcept {
  const auto divisor = V::set1(scale);
  const auto code = [&](const float* from, size_t count, uint8_t* to) __attribute__((always_inline)) {
    const auto real = V::load(from, V::lanes(0, static_cast<ptrdiff_t>(count)));
    store_codes<V>(V::div(real, divisor), zero_point, to, V::kLanes);
  };
  each_run<V>(
      n, [&](size_t i, size_t count) __attribute__((always_inline)) {
        if (channels == 3 && y_pixel_stride == 3 && count == V::kLanes) {
          uint8_t planes[3][V::kLanes];
          for (size_t c = 0; c < 3; ++c) code(x + c * x_plane_stride + i, count, planes[c]);
          return V::store_interleaved(planes[0], planes[1], planes[2], y + 3 * i);
        }
        for (size_t c = 0; c < channels; ++c) {
          uint8_t plane[V::kLanes];
          code(x + c * x_plane_stride + i, count, plane);
          for (size_t p = 0; p < count; ++p) y[(i + p) * y_pixel_stride + c] = plane[p];
        }
      });
}

/// Twelve independent sums: more than the latency of a fused multiply-add times its two ports. The compiler
/// must take them for different ones, or it computes one for all.
template <typename V>
uint64_t probe_f32(uint64_t rounds) noexcept {
  constexpr int kSums = 12;
  typename V::Reg sums[kSums];
#pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) sums[i] = V::unknown(V::set1(1));
  const auto x = V::set1(0.999f);
  for (uint64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = V::fma(sums[i], x, x);
  }
#pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) V::unknown(sums[i]);
  return rounds * kSums * V::kLanes;
}

template <typename V, typename B>
void plug_codes(KernelTable& table) {
  table.add_u8 = add_u8<V>;
  table.mul_u8 = mul_u8<V>;
  table.max_pool_u8 = max_pool<B>;
  table.average_pool_u8 = average_pool<V>;
  table.quantize_f32_u8_planes = quantize_planes<V>;
  table.dequantize_u8_f32 = dequantize<V>;
  table.probe_f32 = probe_f32<V>;
}

}  // namespace quantize::simd
