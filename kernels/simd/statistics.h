// Ranges, sums and histograms of reals, for any vector type V.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/simd/elementwise.h"

namespace quantize::simd {

/// Smallest and largest finite element, and the number of finite ones.
template <typename V>
struct Extremes {
  using Reg = typename V::Reg;
  const Reg inf = V::set1(__builtin_inff()), minus_inf = V::set1(-__builtin_inff());
  Reg low = inf, high = minus_inf;
  uint64_t finite = 0;

  [[gnu::always_inline]] void take(Reg value, typename V::Mask present) {
    const auto mask = V::both(V::finite(value), present);
    low = V::min(low, V::select(mask, value, inf));
    high = V::max(high, V::select(mask, value, minus_inf));
    finite += static_cast<uint64_t>(__builtin_popcount(V::bits(mask)));
  }

  MinMaxF32 of(size_t n) const {
    float lows[V::kLanes], highs[V::kLanes];
    V::store(lows, low);
    V::store(highs, high);
    for (size_t lane = 1; lane < V::kLanes; ++lane) {
      if (lows[lane] < lows[0]) lows[0] = lows[lane];
      if (highs[lane] > highs[0]) highs[0] = highs[lane];
    }
    return {lows[0] + 0.0f, highs[0] + 0.0f, n - finite};
  }
};

template <typename V>
MinMaxF32 minmax(const float* x, size_t n) noexcept {
  Extremes<V> extremes;
  each_vector<V>(x, n, [&](auto value, auto present, size_t) { extremes.take(value, present); });
  return extremes.of(n);
}

template <typename V>
MinMaxSumF32 minmax_sum(const float* x, size_t n) noexcept {
  constexpr size_t kStep = V::kLanes > kSumLanes ? V::kLanes : kSumLanes;
  Extremes<V> extremes;
  typename V::Sums sums{};
  const auto all = V::lanes(0, V::kLanes);
  size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    for (size_t k = 0; k < kStep; k += V::kLanes) extremes.take(V::load(x + i + k), all);
    for (size_t k = 0; k < kStep; k += kSumLanes) sums.add(x + i + k);
  }
  for (size_t k = i; k < n; k += V::kLanes) {
    const auto rest = V::lanes(0, static_cast<ptrdiff_t>(n - k));
    extremes.take(V::load(x + k, rest), rest);
  }
  double lanes[kSumLanes];
  sums.store(lanes);
  for (size_t k = 0; i + k < n; ++k) lanes[k % kSumLanes] += static_cast<double>(x[i + k]);
  return {extremes.of(n), pairwise_sum(lanes)};
}

/// Columns stay in registers while their rows pass.
template <typename Sums>
void column_sums(const float* x, size_t rows, size_t row_stride, size_t width, double* sums) noexcept {
  size_t i = 0;
  for (; i + kSumLanes <= width; i += kSumLanes) {
    Sums columns = Sums::load(sums + i);
    for (size_t y = 0; y < rows; ++y) columns.add(x + y * row_stride + i);
    columns.store(sums + i);
  }
  for (size_t y = 0; y < rows; ++y)
    for (size_t k = i; k < width; ++k) sums[k] += static_cast<double>(x[y * row_stride + k]);
}

/// Counting is a chain of scalar increments. To keep it free of branches, the bins of a block of elements are written
/// down first; elements that do not count are left out or go to the spare bins, each lane to its own. To keep increments
/// of one bin from waiting for each other, every second element of many counts in a table behind the spare bins, which
/// is added at the end.
template <typename V>
uint64_t histogram(const float* x, size_t n, float inv_bin_width, uint32_t* counts, size_t bins) noexcept {
  using Reg = typename V::Reg;
  constexpr float kLaneNumbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  static_assert(V::kLanes <= kHistogramSpare && kHistogramSpare == 16);
  const auto half = static_cast<float>(bins / 2);
  const Reg zero = V::set1(0), last = V::set1(half - 1), width = V::set1(inv_bin_width);
  const Reg above = V::set1(half), below = V::set1(half - 1);
  const Reg spare = V::add(V::set1(static_cast<float>(bins)), V::load(kLaneNumbers));
  const bool is_small = n < bins;
  uint32_t* second = is_small ? counts : counts + bins + kHistogramSpare;
  if (!is_small) __builtin_memset(second, 0, bins * sizeof *second);
  constexpr size_t kBlock = 256;
  int32_t block[kBlock + V::kLanes];
  size_t filled = 0;
  const auto flush = [&] {
    size_t i = 0;
    for (; i + 2 <= filled; i += 2) {
      ++counts[block[i]];
      ++second[block[i + 1]];
    }
    if (i < filled) ++counts[block[i]];
    filled = 0;
  };
  uint64_t zeros = 0;
  each_vector<V>(x, n, [&](Reg value, typename V::Mask present, size_t) {
    const Reg magnitude = V::abs(value);
    const Reg k = V::trunc(V::min(V::mul(magnitude, width), last));
    const Reg bin = V::select(V::less(zero, value), V::add(above, k), V::sub(below, k));
    const auto counted = V::both(V::both(V::less(zero, magnitude), V::finite(value)), present);
    filled += V::store_selected(block + filled, counted, bin, spare);
    zeros += static_cast<uint64_t>(__builtin_popcount(V::bits(V::both(V::equal(value, zero), present))));
    if (filled >= kBlock) flush();
  });
  flush();
  for (size_t k = 0; !is_small && k < bins; ++k) counts[k] += second[k];
  return zeros;
}

/// The members of the table that this file has.
template <typename V>
void plug_statistics(KernelTable& table) {
  table.minmax_f32 = minmax<V>;
  table.minmax_sum_f32 = minmax_sum<V>;
  table.column_sums_f32 = column_sums<typename V::Sums>;
  table.histogram_f32 = histogram<V>;
}

}  // namespace quantize::simd
