// How far two tensors are apart.
#pragma once

#include <optional>

#include "core/tensor.h"

namespace quantize {

/// Two lists whose length depends on data, as detections: if the shapes differ in one extent alone, zeros go behind
/// the shorter, so that what only one side has counts as an error. Others stay as they are.
void level_lists(Tensor& reference, Tensor& candidate);

/// Energy of a reference, and of the error of another tensor against it. Sums over disjoint samples add up.
struct Deviation {
  double signal = 0;
  double noise = 0;
  double max_abs_diff = 0;
  uint64_t non_finite = 0;  // elements that are NaN or infinite on either side; no other sum has them

  /// Adds the elements of one sample; of lists see level_lists. Errors: Error(kInvalidArgument) if the sizes differ.
  void add(const Tensor& reference, const Tensor& candidate);
  void add(double reference, double candidate);
  void add(const Deviation& other);

  /// 10 log10(signal / noise), inside [-kMaxDb, kMaxDb] because JSON has no infinity: kMaxDb where nothing
  /// differs. Nothing if an element is not finite, equal on both sides or not.
  std::optional<double> sqnr_db() const;
  static constexpr double kMaxDb = 999;

 private:
  template <typename T>
  void add_all(const T* reference, const T* candidate, int64_t count);
};

}  // namespace quantize
