// Operations on codes for any vector type V: each code becomes a float lane, exactly, and a code again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/simd/elementwise.h"
#include "kernels/simd/function.h"
#include "kernels/simd/pixels.h"
#include "kernels/simd/rows.h"
#include "kernels/simd/transpose.h"

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
  if constexpr (requires { V::codes(x, count); }) return V::codes(x, count);
  uint8_t lanes[V::kLanes] = {};
  for (size_t i = 0; i < count; ++i) lanes[i] = x[i];
  return V::codes(lanes);
}

/// round_half_even(steps) + zero_point, or whatever saturates to the same code. Below the range of s32 a
/// conversion gives INT32_MIN, as it should, and so it does above, which the minimum prevents. A NaN becomes
/// the upper end, as the reference has it.
template <typename V>
[[gnu::always_inline]] inline typename V::Int rounded_code(typename V::Reg steps, int32_t zero_point) {
  return V::add_int(V::to_int(V::min(steps, V::set1(kSafeSteps))), zero_point);
}

/// y = clamp(rounded, 0, 255).
template <typename V>
[[gnu::always_inline]] inline void store_saturated(typename V::Int rounded, uint8_t* y, size_t count) {
  if (count == V::kLanes) return V::store_saturated(y, rounded);
  if constexpr (requires { V::store_saturated(y, rounded, count); })
    return V::store_saturated(y, rounded, count);
  uint8_t lanes[V::kLanes];
  V::store_saturated(lanes, rounded);
  for (size_t i = 0; i < count; ++i) y[i] = lanes[i];
}

/// y = clamp(round_half_even(steps) + zero_point, 0, 255).
template <typename V>
[[gnu::always_inline]] inline void store_codes(typename V::Reg steps, int32_t zero_point, uint8_t* y,
                                               size_t count) {
  store_saturated<V>(rounded_code<V>(steps, zero_point), y, count);
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
             b_zero = V::set1(static_cast<float>(call.b_zero_point)), multiplier = V::set1(call.multiplier),
             zero_point = V::set1(static_cast<float>(call.zero_point));
  each_run<V>(
      call.n, [&](size_t i, size_t count) __attribute__((always_inline)) {
        const auto product = V::mul(V::sub(load_codes<V>(call.a + i, count), a_zero),
                                    V::sub(load_codes<V>(call.b + i, count), b_zero));
        store_codes<V>(V::add(V::mul(product, multiplier), zero_point), 0, call.y + i, count);
      });
}

/// One scale and zero point per channel.
template <typename V, Function kFunction, bool kAdds>
void function_rows(const FunctionU8& call) {
  const auto alpha = V::set1(call.alpha), most = V::set1(kSafeSteps), b_ratio = V::set1(call.b_ratio),
             b_offset = V::set1(call.b_offset);
  for (size_t r = 0; r < call.rows; ++r) {
    const float* x = call.x + r * call.x_stride;
    uint8_t* y = call.y + r * call.y_stride;
    each_run<V>(
        call.n, [&](size_t c, size_t count) __attribute__((always_inline)) {
          const auto load = [&](const float* p) __attribute__((always_inline)) {
            return count == V::kLanes ? V::load(p + c)
                                      : V::load(p + c, V::lanes(0, static_cast<ptrdiff_t>(count)));
          };
          const auto value = apply<V, kFunction>(load(x), alpha);
          if constexpr (kAdds) {
            const auto b = load_codes<V>(call.b + r * call.b_stride + c, count);
            store_codes<V>(V::fma(value, load(call.ratio), V::fma(b, b_ratio, b_offset)), 0, y + c, count);
          } else {
            const auto steps = V::mul(value, load(call.ratio));
            const auto codes = V::add_ints(V::to_int(V::min(steps, most)), V::to_int(load(call.zero_point)));
            store_saturated<V>(codes, y + c, count);
          }
        });
  }
}

template <typename V>
void function_u8(const FunctionU8& call) noexcept {
  with_function(call.function, [&]<Function kFunction>() {
    call.b == nullptr ? function_rows<V, kFunction, false>(call) : function_rows<V, kFunction, true>(call);
  });
}

[[gnu::always_inline]] inline uint8_t largest_code(const uint8_t* x, size_t n) {
  uint8_t largest = 0;
  for (size_t i = 0; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

template <typename V>
void softmax_u8(const SoftmaxU8& call) noexcept {
  const auto largest = V::set1(static_cast<float>(largest_code(call.x, call.n))),
             scale = V::set1(call.x_scale);
  const float sum = exponentials<V>(
      call.reals, call.n, [&](size_t i, size_t count) __attribute__((always_inline)) {
        return V::mul(V::sub(load_codes<V>(call.x + i, count), largest), scale);
      });
  const auto ratio = V::set1(1 / (sum * call.y_scale));
  each_run<V>(
      call.n, [&](size_t i, size_t count) __attribute__((always_inline)) {
        store_codes<V>(V::mul(load_reals<V>(call.reals + i, count), ratio), call.zero_point, call.y + i,
                       count);
      });
}

/// One vector of columns; each lane adds up as exponentials() does.
template <typename V>
[[gnu::always_inline]] inline void softmax_of_columns(const SoftmaxU8& call, size_t c, size_t count) {
  using Reg = typename V::Reg;
  const uint8_t* x = call.x + c;
  const Reg scale = V::set1(call.x_scale), zero = V::set1(0);
  Reg largest = zero, lanes[kRowLanes];
  for (size_t i = 0; i < call.n; ++i) largest = V::max(largest, load_codes<V>(x + i * call.stride, count));
  for (size_t i = 0; i < kRowLanes; ++i) lanes[i] = zero;
  for (size_t i = 0; i < call.n; ++i) {
    const Reg e = exp<V>(V::mul(V::sub(load_codes<V>(x + i * call.stride, count), largest), scale));
    V::store(call.reals + i * kSoftmaxColumns, e);
    lanes[i % kRowLanes] = V::add(lanes[i % kRowLanes], e);
  }
  for (size_t half = kRowLanes / 2; half > 0; half /= 2)
    for (size_t i = 0; i < half; ++i) lanes[i] = V::add(lanes[i], lanes[i + half]);
  const Reg ratio = V::div(V::set1(1), V::mul(lanes[0], V::set1(call.y_scale)));
  for (size_t i = 0; i < call.n; ++i)
    store_codes<V>(V::mul(V::load(call.reals + i * kSoftmaxColumns), ratio), call.zero_point,
                   call.y + i * call.stride + c, count);
}

template <typename V>
void softmax_columns_u8(const SoftmaxU8& call) noexcept {
  static_assert(V::kLanes <= kSoftmaxColumns && kSoftmaxMostRows <= kSumBlock);
  each_run<V>(
      call.columns, [&](size_t c, size_t count)
                        __attribute__((always_inline)) { softmax_of_columns<V>(call, c, count); });
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

/// The largest of the window from channel c on, for one vector.
template <typename B>
[[gnu::always_inline]] inline typename B::Reg largest_at(const PoolU8& call, size_t c) {
  auto largest = B::load(call.x + c);
  for (size_t i = 0; i < call.rows; ++i) {
    const uint8_t* x = pixel_of(call, i, 0) + c;
    for (size_t j = 0; j < call.width; ++j, x += call.x_pixel_stride) largest = B::max(largest, B::load(x));
  }
  return largest;
}

/// B is a vector of bytes, and the last one may overlap the one before it. Fewer channels go to a smaller
/// vector, if there is one, or byte by byte.
template <typename B>
void max_pool(const PoolU8& call) noexcept {
  if (call.channels >= B::kBytes) {
    for (size_t c = 0; c < call.channels; c += B::kBytes) {
      const size_t last = call.channels - B::kBytes, at = c < last ? c : last;
      B::store(call.y + at, largest_at<B>(call, at));
    }
  } else if constexpr (B::kBytes > B::Half::kBytes) {
    max_pool<typename B::Half>(call);
  } else {
    for (size_t c = 0; c < call.channels; ++c) {
      uint8_t largest = 0;
      for (size_t i = 0; i < call.rows; ++i)
        for (size_t j = 0; j < call.width; ++j) {
          const uint8_t code = pixel_of(call, i, j)[c];
          largest = code > largest ? code : largest;
        }
      call.y[c] = largest;
    }
  }
}

/// Sums of integers, as many lanes of channels at a time; the last ones may overlap those before.
template <typename V>
void average_pool(const PoolU8& call) noexcept {
  const auto multiplier = V::set1(call.multiplier);
  const auto average = [&](size_t c, size_t count) __attribute__((always_inline)) {
    auto sums = V::zero_ints();
    for (size_t i = 0; i < call.rows; ++i) {
      const uint8_t* x = pixel_of(call, i, 0) + c;
      for (size_t j = 0; j < call.width; ++j, x += call.x_pixel_stride)
        sums = V::add_ints(sums, V::to_int(load_codes<V>(x, count)));
    }
    const auto steps = V::mul(V::to_floats(V::add_int(sums, call.offset)), multiplier);
    store_codes<V>(steps, call.zero_point, call.y + c, count);
  };
  if (call.channels < V::kLanes) return average(0, call.channels);
  for (size_t c = 0; c < call.channels; c += V::kLanes) {
    const size_t last = call.channels - V::kLanes;
    average(c < last ? c : last, V::kLanes);
  }
}

/// The codes of `count` elements of one plane; those behind are undefined.
template <typename V>
[[gnu::always_inline]] inline typename V::Bytes::Reg quantize_run(const float* x, size_t count,
                                                                  typename V::Reg divisor,
                                                                  int32_t zero_point) {
  constexpr size_t kParts = kPixelRun / V::kLanes;
  typename V::Int codes[kParts];
#pragma GCC unroll 4
  for (size_t i = 0; i < kParts; ++i) {
    const auto first = static_cast<ptrdiff_t>(i * V::kLanes);
    const auto real = count == kPixelRun
                          ? V::load(x + first)
                          : V::load(x + first, V::lanes(0, static_cast<ptrdiff_t>(count) - first));
    codes[i] = rounded_code<V>(V::div(real, divisor), zero_point);
  }
  return V::sixteen_bytes(codes);
}

/// kPlanes planes from the one that p.x and p.y point to, in runs of pixels.
template <typename V, size_t kPlanes>
void quantize_some_planes(const PlanesF32& p) {
  const auto divisor = V::set1(p.scale);
  for (size_t i = 0; i < p.n; i += kPixelRun) {
    const size_t count = p.n - i < kPixelRun ? p.n - i : kPixelRun;
    typename V::Bytes::Reg bytes[4] = {};
#pragma GCC unroll 4
    for (size_t c = 0; c < kPlanes; ++c)
      bytes[c] = quantize_run<V>(p.x + c * p.plane_stride + i, count, divisor, p.zero_point);
    store_pixels<typename V::Bytes, kPlanes>(bytes, count, p.y + i * p.pixel_stride, p.pixel_stride);
  }
}

/// Pixels that stay in the L1 cache while all their channels are written.
constexpr size_t kPixelBlock = 64;

/// Four planes at a time.
template <typename V>
void quantize_planes(const PlanesF32& p) noexcept {
  if (p.channels == 1 && p.pixel_stride == 1)
    return quantize<V, uint8_t, 0, 255>(p.x, p.n, p.scale, p.zero_point, p.y);
  const size_t block = p.channels <= 4 ? p.n : kPixelBlock;
  for (size_t i = 0; i < p.n; i += block)
    for (size_t c = 0; c < p.channels; c += 4) {
      PlanesF32 planes = p;
      planes.x += c * p.plane_stride + i;
      planes.n = p.n - i < block ? p.n - i : block;
      planes.y += i * p.pixel_stride + c;
      const size_t left = p.channels - c;
      if (left >= 4) quantize_some_planes<V, 4>(planes);
      if (left == 3) quantize_some_planes<V, 3>(planes);
      if (left == 2) quantize_some_planes<V, 2>(planes);
      if (left == 1) quantize_some_planes<V, 1>(planes);
    }
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

/// B: a vector of bytes.
template <typename V, typename B>
void plug_codes(KernelTable& table) {
  table.add_u8 = add_u8<V>;
  table.mul_u8 = mul_u8<V>;
  table.function_u8 = function_u8<V>;
  table.function_f32 = map_function<V, false>;
  table.activation_f32 = map_function<V, true>;
  table.softmax_u8 = softmax_u8<V>;
  table.softmax_columns_u8 = softmax_columns_u8<V>;
  table.erf_f32 = map<V, erf<V>>;
  table.tanh_f32 = map<V, tanh<V>>;
  plug_rows<V>(table);
  table.max_pool_u8 = max_pool<B>;
  table.average_pool_u8 = average_pool<V>;
  table.quantize_f32_u8_planes = quantize_planes<V>;
  table.transpose_u8 = transpose<typename V::Bytes>;
  table.dequantize_u8_f32 = dequantize<V>;
  table.probe_f32 = probe_f32<V>;
}

}  // namespace quantize::simd
