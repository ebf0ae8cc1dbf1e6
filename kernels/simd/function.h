// Functions of reals, for any vector type V. Read apply() first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/simd/elementwise.h"

namespace quantize::simd {

/// x * (share of the normal distribution below x). Source of the polynomial: Abramowitz and Stegun 7.1.26,
/// whose error is 1.5e-7.
template <typename V, bool kShort>
[[gnu::always_inline]] inline typename V::Reg gelu(typename V::Reg x) {
  using Reg = typename V::Reg;
  const Reg zero = V::set1(0.0f), magnitude = V::max(x, V::sub(zero, x));
  const Reg t = V::div(V::set1(1.0f), V::fma(magnitude, V::set1(0.231641888f), V::set1(1.0f)));
  Reg tail = V::set1(0.5f * 1.061405429f);
  for (float coefficient :
       {0.5f * -1.453152027f, 0.5f * 1.421413741f, 0.5f * -0.284496736f, 0.5f * 0.254829592f})
    tail = V::fma(tail, t, V::set1(coefficient));
  tail = V::mul(V::mul(tail, t), some_exp<V, kShort>(V::mul(V::mul(x, x), V::set1(-0.5f))));
  return V::sub(V::max(x, zero), V::mul(magnitude, tail));
}

/// Source: as gelu(), and near 0, where that is not exact relative to the result, the Taylor polynomial.
template <typename V>
[[gnu::always_inline]] inline typename V::Reg erf(typename V::Reg x) {
  using Reg = typename V::Reg;
  const Reg zero = V::set1(0.0f), square = V::mul(x, x), magnitude = V::max(x, V::sub(zero, x));
  Reg series = V::set1(-1.0f / 1320);
  for (float coefficient : {1.0f / 216, -1.0f / 42, 1.0f / 10, -1.0f / 3, 1.0f})
    series = V::fma(series, square, V::set1(coefficient));
  series = V::mul(V::mul(series, V::set1(1.1283791671f)), x);
  const Reg t = V::div(V::set1(1.0f), V::fma(magnitude, V::set1(0.3275911f), V::set1(1.0f)));
  Reg tail = V::set1(1.061405429f);
  for (float coefficient : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f})
    tail = V::fma(tail, t, V::set1(coefficient));
  tail = V::mul(V::mul(tail, t), exp<V>(V::sub(zero, square)));
  const Reg share = V::sub(V::set1(1.0f), tail);
  const Reg far = V::select(V::less(x, zero), V::sub(zero, share), share);
  return V::select(V::less(magnitude, V::set1(0.5f)), series, far);
}

/// tanh(x) = 1 - 2 / (exp(2 * x) + 1), and near 0, where that is not exact relative to the result, a polynomial.
/// Source of the polynomial: Cephes, tanhf.
template <typename V>
[[gnu::always_inline]] inline typename V::Reg tanh(typename V::Reg x) {
  using Reg = typename V::Reg;
  const Reg zero = V::set1(0.0f), one = V::set1(1.0f), magnitude = V::max(x, V::sub(zero, x));
  const Reg square = V::mul(x, x);
  Reg series = V::set1(-5.70498872745e-3f);
  for (float coefficient : {2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f, -3.33332819422e-1f})
    series = V::fma(series, square, V::set1(coefficient));
  series = V::fma(V::mul(series, square), x, x);
  const Reg rest = V::div(V::set1(2.0f), V::add(exp<V>(V::add(magnitude, magnitude)), one));
  const Reg share = V::sub(one, rest);
  const Reg far = V::select(V::less(x, zero), V::sub(zero, share), share);
  return V::select(V::less(magnitude, V::set1(0.625f)), series, far);
}

/// tanh(ln(1 + e)) = n / (n + 2) with n = e * (e + 2), e = exp(x). Above 20 it is 1 in f32.
template <typename V, bool kShort>
[[gnu::always_inline]] inline typename V::Reg mish(typename V::Reg x) {
  const typename V::Reg e = some_exp<V, kShort>(V::min(x, V::set1(20.0f))), two = V::set1(2.0f);
  const typename V::Reg n = V::mul(e, V::add(e, two));
  return V::div(V::mul(x, n), V::add(n, two));
}

/// By short_exp() if kShort.
template <typename V, Function kFunction, bool kShort = false>
[[gnu::always_inline]] inline typename V::Reg apply(typename V::Reg x,
                                                    [[maybe_unused]] typename V::Reg alpha) {
  using Reg = typename V::Reg;
  const Reg zero = V::set1(0.0f), one = V::set1(1.0f);
  const auto over_sigmoid = [&](Reg argument) __attribute__((always_inline)) {
    if constexpr (kShort) return V::add(one, short_exp<V, true>(argument));
    return V::add(one, exp<V>(V::sub(zero, argument)));
  };
  const auto times_sigmoid = [&](Reg argument) __attribute__((always_inline)) {
    return V::div(x, over_sigmoid(argument));
  };
  if constexpr (kFunction == Function::kSigmoid) return V::div(one, over_sigmoid(x));
  if constexpr (kFunction == Function::kSilu) return times_sigmoid(x);
  if constexpr (kFunction == Function::kHardSwish)
    return V::mul(x, V::min(one, V::max(zero, V::fma(x, V::set1(1.0f / 6), V::set1(0.5f)))));
  if constexpr (kFunction == Function::kGelu) return gelu<V, kShort>(x);
  if constexpr (kFunction == Function::kGeluTanh) {
    constexpr float kFactor = 1.5957691216057308f;  // 2 * sqrt(2 / pi)
    const Reg slope = V::fma(V::mul(x, x), V::set1(kFactor * 0.044715f), V::set1(kFactor));
    return times_sigmoid(V::mul(x, slope));
  }
  if constexpr (kFunction == Function::kMish) return mish<V, kShort>(x);
  if constexpr (kFunction == Function::kLeakyRelu && kShort)  // NaN stays
    return V::fma(alpha, V::min(zero, x), V::max(zero, x));
  if constexpr (kFunction == Function::kLeakyRelu) return V::fma(alpha, V::min(x, zero), V::max(x, zero));
}

/// Calls body.template operator()<function>().
template <typename Body>
[[gnu::always_inline]] inline auto with_function(Function function, Body body) {
  switch (function) {
    case Function::kSigmoid:
      return body.template operator()<Function::kSigmoid>();
    case Function::kSilu:
      break;
    case Function::kHardSwish:
      return body.template operator()<Function::kHardSwish>();
    case Function::kGelu:
      return body.template operator()<Function::kGelu>();
    case Function::kGeluTanh:
      return body.template operator()<Function::kGeluTanh>();
    case Function::kMish:
      return body.template operator()<Function::kMish>();
    case Function::kLeakyRelu:
      return body.template operator()<Function::kLeakyRelu>();
  }
  return body.template operator()<Function::kSilu>();
}

/// y[i] = f(x[i]) for i < n.
template <typename V, bool kShort>
void map_function(Function function, float alpha, const float* x, float* y, size_t n) noexcept {
  with_function(function, [&]<Function kFunction>() {
    const auto parameter = V::set1(alpha);
    size_t i = 0;
    for (; i + V::kLanes <= n; i += V::kLanes)
      V::store(y + i, apply<V, kFunction, kShort>(V::load(x + i), parameter));
    const auto count = static_cast<ptrdiff_t>(n - i);
    if (i < n)
      V::store_first(y + i, count,
                     apply<V, kFunction, kShort>(V::load(x + i, V::lanes(0, count)), parameter));
  });
}

}  // namespace quantize::simd
