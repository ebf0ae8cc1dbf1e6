// Softmax and layer normalization of one row, for any vector type V. Sums go to sixteen lanes on every level,
// so that their bytes are the same.
#pragma once

#include <cstddef>

#include "kernels/kernel_table.h"
#include "kernels/simd/elementwise.h"

namespace quantize::simd {

constexpr size_t kRowLanes = 16;
constexpr size_t kSumBlock = 4096;  // elements that are summed in single precision; beyond, in double

/// Sixteen lanes; at the end each is combined with the one eight further, then four, two, one.
template <typename V>
struct RowLanes {
  using Reg = typename V::Reg;
  static constexpr size_t kRegs = kRowLanes / V::kLanes;

  explicit RowLanes(float start) {
    for (size_t r = 0; r < kRegs; ++r) at[r] = V::set1(start);
  }

  /// Lane i becomes combine(lane i, x[i]) for sixteen elements at a time, the last of which are filled
  /// up with `filler`.
  template <typename Combine>
  [[gnu::always_inline]] void take(const float* x, size_t n, float filler, Combine combine) {
    size_t i = 0;
    for (; i + kRowLanes <= n; i += kRowLanes)
#pragma GCC unroll 16
      for (size_t r = 0; r < kRegs; ++r) at[r] = combine(at[r], V::load(x + i + r * V::kLanes));
    if (i == n) return;
    for (size_t r = 0; r < kRegs; ++r) {
      const auto mask = V::lanes(0, static_cast<ptrdiff_t>(n - i) - static_cast<ptrdiff_t>(r * V::kLanes));
      at[r] = combine(at[r], V::select(mask, V::load(x + i + r * V::kLanes, mask), V::set1(filler)));
    }
  }

  template <typename Combine>
  float combined(Combine combine) const {
    float lanes[kRowLanes];
    for (size_t r = 0; r < kRegs; ++r) V::store(lanes + r * V::kLanes, at[r]);
    for (size_t half = kRowLanes / 2; half > 0; half /= 2)
      for (size_t lane = 0; lane < half; ++lane) lanes[lane] = combine(lanes[lane], lanes[lane + half]);
    return lanes[0];
  }

  Reg at[kRegs];
};

/// The sum of term(x[i]) over x, in sixteen lanes; term(filler) must be 0.
template <typename V, typename Term>
[[gnu::always_inline]] inline double sum_row(const float* x, size_t n, float filler, Term term) {
  double sum = 0;
  for (size_t i = 0; i < n; i += kSumBlock) {
    RowLanes<V> lanes(0);
    lanes.take(
        x + i, n - i < kSumBlock ? n - i : kSumBlock,
        filler, [&](auto a, auto b) __attribute__((always_inline)) { return V::add(a, term(b)); });
    sum += static_cast<double>(lanes.combined([](float a, float b) { return a + b; }));
  }
  return sum;
}

/// y[i] = exp(argument(i, count)) for i < n, where argument makes a register of `count` lanes from the i-th
/// on. Returns the sum, taken as sum_row does.
template <typename V, typename Argument>
[[gnu::always_inline]] inline float exponentials(float* y, size_t n, Argument argument) {
  double sum = 0;
  for (size_t i = 0; i < n;) {
    RowLanes<V> lanes(0);
    const size_t end = n - i < kSumBlock ? n : i + kSumBlock;
    for (; i + kRowLanes <= end; i += kRowLanes)
#pragma GCC unroll 16
      for (size_t r = 0; r < RowLanes<V>::kRegs; ++r) {
        const auto e = exp<V>(argument(i + r * V::kLanes, V::kLanes));
        V::store(y + i + r * V::kLanes, e);
        lanes.at[r] = V::add(lanes.at[r], e);
      }
    if (i < end)
#pragma GCC unroll 16
      for (size_t r = 0; r < RowLanes<V>::kRegs; ++r) {
        if (i >= end) break;
        const size_t count = end - i < V::kLanes ? end - i : V::kLanes;
        const auto e = exp<V>(argument(i, count));
        const auto mask = V::lanes(0, static_cast<ptrdiff_t>(count));
        V::store_first(y + i, static_cast<ptrdiff_t>(count), e);
        lanes.at[r] = V::add(lanes.at[r], count == V::kLanes ? e : V::select(mask, e, V::set1(0)));
        i += count;
      }
    sum += static_cast<double>(lanes.combined([](float a, float b) { return a + b; }));
  }
  return static_cast<float>(sum);
}

/// The lanes [0, count) of a run.
template <typename V>
[[gnu::always_inline]] inline typename V::Reg load_reals(const float* x, size_t count) {
  return count == V::kLanes ? V::load(x) : V::load(x, V::lanes(0, static_cast<ptrdiff_t>(count)));
}

template <typename V>
void softmax(const float* x, float* y, size_t n) noexcept {
  using Reg = typename V::Reg;
  constexpr float kLowest = -3.402823466e38f;
  RowLanes<V> lanes(kLowest);
  lanes.take(
      x, n, kLowest, [](Reg a, Reg b) __attribute__((always_inline)) { return V::max(a, b); });
  const Reg shift = V::set1(lanes.combined([](float a, float b) { return a > b ? a : b; }));
  const float factor = 1 / exponentials<V>(
                               y, n, [&](size_t i, size_t count) __attribute__((always_inline)) {
                                 return V::sub(load_reals<V>(x + i, count), shift);
                               });
  size_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) V::store(y + i, V::mul(V::load(y + i), V::set1(factor)));
  for (; i < n; ++i) y[i] *= factor;
}

template <typename V>
RowMoments layer_norm(const LayerNormF32& call) noexcept {
  using Reg = typename V::Reg;
  const auto count = static_cast<double>(call.n);
  const auto mean = static_cast<float>(sum_row<V>(call.x, call.n, 0, [](Reg x) { return x; }) / count);
  const Reg shift = V::set1(mean);
  const double squares = sum_row<V>(
      call.x, call.n, mean, [&](Reg x) __attribute__((always_inline)) {
        const Reg difference = V::sub(x, shift);
        return V::mul(difference, difference);
      });
  const auto factor =
      static_cast<float>(1 / __builtin_sqrt(squares / count + static_cast<double>(call.epsilon)));
  size_t i = 0;
  for (; i + V::kLanes <= call.n; i += V::kLanes) {
    const Reg normal = V::mul(V::sub(V::load(call.x + i), shift), V::set1(factor));
    V::store(call.y + i, V::fma(normal, V::load(call.scale + i), V::load(call.bias + i)));
  }
  for (; i < call.n; ++i)
    call.y[i] = __builtin_fmaf((call.x[i] - mean) * factor, call.scale[i], call.bias[i]);
  return {mean, factor};
}

template <typename V>
void plug_rows(KernelTable& table) {
  table.softmax_f32 = softmax<V>;
  table.layer_norm_f32 = layer_norm<V>;
}

}  // namespace quantize::simd
