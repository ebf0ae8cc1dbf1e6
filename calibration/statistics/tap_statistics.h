// The mean input of every tap of a convolution: what bias correction multiplies the weights' rounding errors
// with.
#pragma once

#include <cstdint>
#include <vector>

#include "calibration/statistics/exact_sum.h"
#include "core/tensor.h"
#include "kernels/kernel_table.h"

namespace quantize {

struct Window;

/// Sums over samples of the mean that input channel c has under kernel tap t = ky * kernel_w + kx, zero
/// padding included: mean_sums[c * taps + t]. Merging is exact.
struct TapStatistics {
  size_t taps = 0;
  uint64_t samples = 0;
  std::vector<ExactSum> mean_sums;

  /// Requires: the same taps and channels, or no sample in either.
  void add(const TapStatistics& other);

  friend bool operator==(const TapStatistics&, const TapStatistics&) = default;
};

/// The same of one sample.
///
///   mean[c * taps + ky * kernel_w + kx] = 1 / out_size * sum over (oy, ox) of
///       x[c][oy * stride_h + ky * dilation_h - pad_top][ox * stride_w + kx * dilation_w - pad_left]
///
/// Shapes:  x [N, C, H, W], averaged over N; `window` made for it, of rank 2.
/// Types:   f32, finite, below ExactSum::kLimit in magnitude.
/// Accuracy: double sums in an order that depends on the shapes alone.
TapStatistics summarize_taps(const TensorView& x, const Window& window, const KernelTable& kernels);

}  // namespace quantize
