// CumSum and CumProd: every element with all those before it along an axis; reverse counts from the end, exclusive leaves
// the element itself out.
#include <algorithm>
#include <vector>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  require_type(context, 0, kNumberTypes);
  require_type(context, 1, kIndexTypes);
  const auto axis = only_integer(context, 1);
  if (const auto x = context.shape(0); x && axis) normalize_axis(*axis, x->size());
  infer_same_as_input(context);
}

template <typename T, typename Combine>
void accumulate(const EvaluateContext& context, T start, Combine combine) {
  const TensorView& x = context.inputs[0];
  const auto axis = static_cast<size_t>(normalize_axis(only_integer(context.inputs[1]), x.shape.size()));
  const bool exclusive = context.node.int_attribute("exclusive", 0) != 0;
  const bool reverse = context.node.int_attribute("reverse", 0) != 0;
  const int64_t n = x.shape[axis], inner = extent_product(x.shape, axis + 1, x.shape.size());
  std::vector<T> sums(static_cast<size_t>(inner));
  for (int64_t begin = 0; begin < x.size(); begin += n * inner) {
    std::fill(sums.begin(), sums.end(), start);
    for (int64_t k = 0; k < n; ++k) {
      const int64_t row = begin + (reverse ? n - 1 - k : k) * inner;
      const T* from = x.as<T>() + row;
      T* to = context.outputs[0].as<T>() + row;
      for (int64_t i = 0; i < inner; ++i) {
        T& sum = sums[static_cast<size_t>(i)];
        const T next = static_cast<T>(combine(sum, from[i]));
        to[i] = exclusive ? sum : next;
        sum = next;
      }
    }
  }
}

/// Integers wrap around.
template <typename T>
using Wrapping = std::conditional_t<std::is_floating_point_v<T>, T, uint64_t>;

void evaluate_sum(const EvaluateContext& context) {
  visit_number(context.inputs[0].dtype, [&]<typename T>() {
    accumulate<T>(context, T(0), [](T a, T b) { return Wrapping<T>(a) + Wrapping<T>(b); });
  });
}

void evaluate_product(const EvaluateContext& context) {
  visit_number(context.inputs[0].dtype, [&]<typename T>() {
    accumulate<T>(context, T(1), [](T a, T b) { return Wrapping<T>(a) * Wrapping<T>(b); });
  });
}

OpDef cumulative(const char* op_type, int min_opset, void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = min_opset,
          .max_opset = kNewestOpset,
          .min_inputs = 2,
          .max_inputs = 2,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace

void add_cumulative(std::vector<OpDef>& ops) {
  ops.push_back(cumulative("CumProd", 26, evaluate_product));
  ops.push_back(cumulative("CumSum", 11, evaluate_sum));
}

}  // namespace quantize
