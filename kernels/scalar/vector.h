// A vector of one lane, for formulae that stand in kernels/simd once for all levels.
#pragma once

#include <cmath>
#include <cstddef>

namespace quantize {
namespace {

struct F32x1 {
  using Reg = float;
  using Mask = bool;
  static constexpr size_t kLanes = 1;

  static Mask lanes(ptrdiff_t first, ptrdiff_t last) { return first <= 0 && last > 0; }
  static Reg load(const float* p) { return *p; }
  static Reg load(const float* p, Mask mask) { return mask ? *p : 0; }
  static void store(float* p, Reg x) { *p = x; }
  static void store_first(float* p, ptrdiff_t n, Reg x) {
    if (n > 0) *p = x;
  }

  static Reg set1(float x) { return x; }
  static Reg add(Reg a, Reg b) { return a + b; }
  static Reg sub(Reg a, Reg b) { return a - b; }
  static Reg mul(Reg a, Reg b) { return a * b; }
  static Reg div(Reg a, Reg b) { return a / b; }
  static Reg fma(Reg a, Reg b, Reg c) { return std::fma(a, b, c); }
  /// b where either is NaN.
  static Reg min(Reg a, Reg b) { return a < b ? a : b; }
  static Reg max(Reg a, Reg b) { return a > b ? a : b; }
  static Mask less(Reg a, Reg b) { return a < b; }
  static Reg select(Mask mask, Reg a, Reg b) { return mask ? a : b; }
  static Reg round(Reg x) { return std::nearbyint(x); }
  /// x * 2^n for an integral n, or NaN.
  static Reg scale(Reg x, Reg n) { return std::isnan(n) ? n : std::ldexp(x, static_cast<int>(n)); }
  static Reg scale_normal(Reg x, Reg n) { return scale(x, n); }
};

}  // namespace
}  // namespace quantize
