// exp, sigmoid and quantize for any vector type V.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace quantize::simd {

/// exp(x) = 2^n * exp(r) with n = round(x / ln 2), r = x - n * ln 2 in two steps (Cody and Waite), and the
/// Taylor polynomial of degree 7 for exp(r), |r| <= ln(2) / 2: its error is below 2^-27.
template <typename V>
[[gnu::always_inline]] inline typename V::Reg exp(typename V::Reg x) {
  using Reg = typename V::Reg;
  x = V::min(V::set1(104.0f), V::max(V::set1(-104.0f), x));  // beyond, the result is inf or 0
  const Reg n = V::round(V::mul(x, V::set1(1.44269504088896341f)));
  constexpr float kLn2High = 0x1.62ep-1f,
                  kLn2Low = 0x1.0bfbe8e7bcd5ep-15f;  // 12 bits, so that n * high is exact
  const Reg r = V::fma(n, V::set1(-kLn2Low), V::fma(n, V::set1(-kLn2High), x));
  Reg p = V::set1(1.0f / 5040);
  for (float coefficient : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 1.0f / 2, 1.0f, 1.0f})
    p = V::fma(p, r, V::set1(coefficient));
  return V::scale(p, n);
}

/// exp(x), and exp(-x) if kNegative, by half as many operations: x is first brought into [-86.5, 86.5], where all results
/// are normal, and r is one step. Accuracy: 5e-7 relative. NaN stays. The polynomial has the least largest error of its
/// degree with p(0) = 1: 9.3e-8.
template <typename V, bool kNegative = false>
[[gnu::always_inline]] inline typename V::Reg short_exp(typename V::Reg x) {
  using Reg = typename V::Reg;
  constexpr float kSign = kNegative ? -1.0f : 1.0f, kLn2 = 0x1.62e430p-1f;
  x = V::min(V::set1(86.5f), V::max(V::set1(-86.5f), x));
  const Reg n = V::round(V::mul(x, V::set1(kSign * 1.44269504088896341f)));
  const Reg r = V::fma(n, V::set1(-kSign * kLn2), x);  // of the sign of x
  Reg p = V::set1(kSign * 0x1.0fa7d8p-7f);
  for (float coefficient :
       {0x1.573ad0p-5f, kSign * 0x1.555a6ep-3f, 0x1.fffdc4p-2f, kSign * 0x1.fffff6p-1f, 1.0f})
    p = V::fma(p, r, V::set1(coefficient));
  return V::scale_normal(p, n);
}

/// Either of the two.
template <typename V, bool kShort>
[[gnu::always_inline]] inline typename V::Reg some_exp(typename V::Reg x) {
  if constexpr (kShort) return short_exp<V>(x);
  return exp<V>(x);
}

template <typename V>
[[gnu::always_inline]] inline typename V::Reg sigmoid(typename V::Reg x) {
  const typename V::Reg one = V::set1(1.0f);
  return V::div(one, V::add(one, exp<V>(V::sub(V::set1(0.0f), x))));
}

/// y[i] = f(x[i]).
template <typename V, typename V::Reg (*f)(typename V::Reg)>
void map(const float* x, float* y, size_t n) noexcept {
  size_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) V::store(y + i, f(V::load(x + i)));
  const auto rest = V::lanes(0, static_cast<ptrdiff_t>(n - i));
  if (i < n) V::store_first(y + i, static_cast<ptrdiff_t>(n - i), f(V::load(x + i, rest)));
}

/// Calls body(register, mask of the lanes that count, index) for every vector of x.
template <typename V, typename Body>
[[gnu::always_inline]] inline void each_vector(const float* x, size_t n, Body body) {
  size_t i = 0;
  const auto all = V::lanes(0, V::kLanes);
  for (; i + V::kLanes <= n; i += V::kLanes) body(V::load(x + i), all, i);
  const auto rest = V::lanes(0, static_cast<ptrdiff_t>(n - i));
  if (i < n) body(V::load(x + i, rest), rest, i);
}

template <typename V, typename T, int32_t kMin, int32_t kMax>
void quantize(const float* x, size_t n, float scale, int32_t zero_point, T* y) noexcept {
  using Reg = typename V::Reg;
  const Reg divisor = V::set1(scale);
  const Reg low = V::set1(static_cast<float>(kMin - zero_point)),
            high = V::set1(static_cast<float>(kMax - zero_point));
  each_vector<V>(x, n, [&](Reg value, typename V::Mask, size_t i) {
    const Reg rounded = V::min(high, V::max(low, V::round(V::div(value, divisor))));
    const auto codes = V::add_int(V::to_int(rounded), zero_point);
    if (i + V::kLanes <= n) return V::store_bytes(y + i, codes);
    T rest[V::kLanes];
    V::store_bytes(rest, codes);
    for (size_t lane = 0; i + lane < n; ++lane) y[i + lane] = rest[lane];
  });
}

}  // namespace quantize::simd
