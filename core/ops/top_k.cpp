// TopK: the k largest or smallest elements along an axis, and where they stand. Of equal ones the first comes first.
#include <algorithm>
#include <numeric>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

/// k as far as it is known: an attribute up to opset 9, an input after.
std::optional<int64_t> known_k(const InferContext& context) {
  if (context.node.has_attribute("k")) return context.node.int_attribute("k", 0);
  if (!context.has_input(1)) invalid_model("the number of elements to find is missing");
  const auto k = context.all_integers(1);
  if (k && k->size() != 1) invalid_model("the number of elements to find is no scalar");
  return k ? std::optional((*k)[0]) : std::nullopt;
}

void infer(InferContext& context) {
  require_type(context, 0, kNumberTypes);
  require_type(context, 1, kIndexTypes);
  const auto k = known_k(context);
  auto y = context.shape(0);
  if (y) {
    int64_t& extent =
        (*y)[static_cast<size_t>(normalize_axis(context.node.int_attribute("axis", -1), y->size()))];
    if (k && (*k < 0 || (extent != kUnknownDim && *k > extent)))
      invalid_model("TopK is to find " + std::to_string(*k) + " of " + to_string(Shape{extent}) +
                    " elements");
    extent = k.value_or(kUnknownDim);
  }
  context.set_output(0, context.input(0).dtype, y);
  context.set_output(1, DataType::kS64, y);
}

/// A NaN is larger than all numbers.
template <typename T>
bool is_larger(T a, T b) {
  return a > b || (a != a && b == b);
}

template <typename T>
void find(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const MutableTensorView& y = context.outputs[0];
  const auto axis =
      static_cast<size_t>(normalize_axis(context.node.int_attribute("axis", -1), x.shape.size()));
  const bool largest = context.node.int_attribute("largest", 1) != 0;
  const int64_t n = x.shape[axis], k = y.shape[axis],
                inner = extent_product(x.shape, axis + 1, x.shape.size());
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t column = 0; column < extent_product(x.shape, 0, axis) * inner; ++column) {
    const T* from = x.as<T>() + column / inner * n * inner + column % inner;
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
      const T u = from[a * inner], v = from[b * inner];
      const bool before = largest ? is_larger(u, v) : is_larger(v, u);
      const bool behind = largest ? is_larger(v, u) : is_larger(u, v);
      return before || (!behind && a < b);
    });
    const int64_t first = column / inner * k * inner + column % inner;
    for (int64_t i = 0; i < k; ++i) {
      const int64_t found = order[static_cast<size_t>(i)];
      y.as<T>()[first + i * inner] = from[found * inner];
      if (context.outputs.size() > 1 && context.outputs[1])
        context.outputs[1].as<int64_t>()[first + i * inner] = found;
    }
  }
}

void evaluate(const EvaluateContext& context) {
  visit_number(context.inputs[0].dtype, [&]<typename T>() { find<T>(context); });
}

}  // namespace

void add_top_k(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "TopK",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .max_inputs = 2,
                 .max_outputs = 2,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
