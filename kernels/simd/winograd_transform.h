// The transforms of Winograd's convolution along one axis, for any vector type V: see kernels/winograd.h. Their order of
// sums is part of the contract, as all levels give the same bytes.
#pragma once

namespace quantize::simd {

/// The points of tiles of 4 x 4 are 0, +-kRoot / 2, +-kRoot and infinity.
constexpr float kRoot = 1.41421356237309505f;

template <typename V, int kTile>
struct Winograd;

template <typename V>
struct Winograd<V, 2> {
  using Reg = typename V::Reg;

  /// B^T d.
  [[gnu::always_inline]] static inline void input(const Reg (&d)[4], Reg (&r)[4]) {
    r[0] = V::sub(d[0], d[2]);
    r[1] = V::add(d[1], d[2]);
    r[2] = V::sub(d[2], d[1]);
    r[3] = V::sub(d[3], d[1]);
  }
  /// A^T m.
  [[gnu::always_inline]] static inline void output(const Reg (&m)[4], Reg (&y)[2]) {
    y[0] = V::add(m[0], V::add(m[1], m[2]));
    y[1] = V::add(m[3], V::sub(m[1], m[2]));
  }
};

template <typename V>
struct Winograd<V, 4> {
  using Reg = typename V::Reg;

  [[gnu::always_inline]] static inline void input(const Reg (&d)[6], Reg (&r)[6]) {
    const Reg small_even = V::fma(V::set1(-2.0f), d[2], d[4]),
              large_even = V::fma(V::set1(-0.5f), d[2], d[4]);
    const Reg small_odd = V::fma(V::set1(kRoot / 2), d[3], V::mul(V::set1(-kRoot), d[1]));
    const Reg large_odd = V::fma(V::set1(kRoot), d[3], V::mul(V::set1(-kRoot / 2), d[1]));
    r[0] = V::fma(V::set1(-2.5f), d[2], V::add(d[0], d[4]));
    r[1] = V::add(small_even, small_odd);
    r[2] = V::sub(small_even, small_odd);
    r[3] = V::add(large_even, large_odd);
    r[4] = V::sub(large_even, large_odd);
    r[5] = V::fma(V::set1(-2.5f), d[3], V::add(d[1], d[5]));
  }
  [[gnu::always_inline]] static inline void output(const Reg (&m)[6], Reg (&y)[4]) {
    const Reg small_sum = V::add(m[1], m[2]), small_difference = V::sub(m[1], m[2]);
    const Reg large_sum = V::add(m[3], m[4]), large_difference = V::sub(m[3], m[4]);
    y[0] = V::add(m[0], V::add(small_sum, large_sum));
    y[1] = V::fma(V::set1(kRoot), large_difference, V::mul(V::set1(kRoot / 2), small_difference));
    y[2] = V::fma(V::set1(2.0f), large_sum, V::mul(V::set1(0.5f), small_sum));
    y[3] = V::add(m[5],
                  V::fma(V::set1(2 * kRoot), large_difference, V::mul(V::set1(kRoot / 4), small_difference)));
  }
};

}  // namespace quantize::simd
