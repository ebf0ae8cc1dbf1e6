// Bounds of the sums of integer operators: do they stay in s32, in which every kernel and runtime adds up?
#pragma once

#include <string>
#include <vector>

#include "core/graph.h"
#include "core/ops/weight_layout.h"

namespace quantize {

/// The largest magnitude that a sum could have.
struct SumBound {
  double codes = 0;  // of the weights that make it, added up without their signs
  double bias = 0;
  double most = 0;

  /// True if no such sum leaves s32.
  bool fits() const { return most <= 2147483647.0; }
  /// "codes of the weights that add up to 11430000, times 255, plus a bias of 12 pass 2147483647".
  std::string text() const;
};

/// For sums of weights times codes of an activation, whatever the codes are, plus a bias: the largest over
/// output channels of
///
///   255 * sum |weight code - zero point|  +  |bias|
///
/// No activation code of 8 bits is further than 255 from its zero point, or from 0, so that this bounds the
/// sum whether zero points are subtracted first or folded into the bias, and all that is added up on the way.
///
/// Shapes:  codes as `layout` says, u8 or s8; zero_point [1] or one per output channel; bias [1] (for all),
///          one per output channel, or empty; in steps of the sums.
/// Accuracy: exact below 2^53.
SumBound bound_of_sums(const Tensor& codes, const std::vector<int32_t>& zero_point,
                       const WeightLayout& layout, const std::vector<double>& bias);

/// The same for any codes of such weights: quick, and enough for most layers.
SumBound bound_of_any_codes(const WeightLayout& layout, const std::vector<double>& bias);

/// For sums of `count` products of two codes, both of an activation with the given zero point, u8 or s8.
SumBound bound_of_products(int64_t count, DataType a, int32_t a_zero_point, DataType b, int32_t b_zero_point);

/// For the sums of codes that a pool of means adds up: of its window, or, without a kernel_shape, of the
/// whole image x [N, C, ...]. Extents that are not known count as 1.
SumBound bound_of_pool(const Node& pool, Dims x);

}  // namespace quantize
