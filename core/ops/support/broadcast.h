// Elementwise operators of two inputs with numpy broadcasting.
#pragma once

#include <algorithm>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

/// Shape of all inputs [first, ...) broadcast together; nothing while a rank is unknown.
std::optional<Shape> broadcast_inputs(const InferContext& context, size_t first = 0);

/// y = function(a, b) element by element. Rows where one side repeats read it once, so that every loop here
/// vectorizes.
template <typename A, typename B, typename Y, typename Function>
void map_pairs(const TensorView& a, const TensorView& b, const MutableTensorView& y, Function function) {
  const auto is_whole = [&](const TensorView& x) {
    return std::equal(x.shape.begin(), x.shape.end(), y.shape.begin(), y.shape.end());
  };
  if (is_whole(a) && is_whole(b)) {
    const A* p = a.as<A>();
    const B* q = b.as<B>();
    Y* out = y.as<Y>();
    for (int64_t i = 0, n = y.size(); i < n; ++i) out[i] = static_cast<Y>(function(p[i], q[i]));
    return;
  }
  const StridedLoop loop(y.shape, {strides_of(y.shape), broadcast_strides(a.shape, y.shape),
                                   broadcast_strides(b.shape, y.shape)});
  const int64_t n = loop.row_size();
  const bool a_repeats = loop.row_stride(1) == 0, b_repeats = loop.row_stride(2) == 0;
  loop.for_each_row([&](const int64_t* offsets) {
    Y* out = y.as<Y>() + offsets[0];
    const A* p = a.as<A>() + offsets[1];
    const B* q = b.as<B>() + offsets[2];
    if (b_repeats) {
      const B right = *q;
      for (int64_t i = 0; i < n; ++i) out[i] = static_cast<Y>(function(p[i], right));
    } else if (a_repeats) {
      const A left = *p;
      for (int64_t i = 0; i < n; ++i) out[i] = static_cast<Y>(function(left, q[i]));
    } else {
      for (int64_t i = 0; i < n; ++i) out[i] = static_cast<Y>(function(p[i], q[i]));
    }
  });
}

}  // namespace quantize
