// How far two tensors are apart.
#pragma once

#include "core/tensor.h"

namespace quantize {

/// Energies of a reference and of another's error against it. Sums over disjoint samples add up.
struct Deviation {
  double signal = 0;
  double noise = 0;
  double max_abs_diff = 0;

  /// Adds the elements of one sample. Two NaN are equal; a NaN or infinity on one side only is infinitely far
  /// off. Errors: Error(kInvalidArgument) if the sizes differ.
  void add(const Tensor& reference, const Tensor& candidate);
  void add(double reference, double candidate);
  void add(const Deviation& other);

  /// 10 log10(signal / noise), inside [-kMaxDb, kMaxDb] because JSON has no infinity: kMaxDb where nothing
  /// differs.
  double sqnr_db() const;
  static constexpr double kMaxDb = 999;

 private:
  template <typename T>
  void add_all(const T* reference, const T* candidate, int64_t count);
};

/// The index of the largest element, the first of several; NaN is never the largest.
size_t arg_max(const Tensor& scores);

}  // namespace quantize
