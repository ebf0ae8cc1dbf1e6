// ArgMax and ArgMin: the position of the largest or smallest element along an axis; the first one, or the
// last.
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  require_type(context, 0, kNumberTypes);
  std::optional<Shape> y = context.shape(0);
  if (y) {
    const auto axis = normalize_axis(context.node.int_attribute("axis", 0), y->size());
    if (context.node.int_attribute("keepdims", 1) != 0)
      (*y)[static_cast<size_t>(axis)] = 1;
    else
      y->erase(y->begin() + axis);
  }
  context.set_output(0, DataType::kS64, std::move(y));
}

/// `better(a, b)`: a takes the place of b.
template <typename T, typename Better>
void find(const EvaluateContext& context, Better better) {
  const TensorView& x = context.inputs[0];
  const auto axis =
      static_cast<size_t>(normalize_axis(context.node.int_attribute("axis", 0), x.shape.size()));
  const int64_t n = x.shape[axis], outer = extent_product(x.shape, 0, axis);
  const int64_t inner = extent_product(x.shape, axis + 1, x.shape.size());
  if (n == 0) invalid_model("an axis without elements has no largest or smallest one");
  int64_t* y = context.outputs[0].as<int64_t>();
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      const T* column = x.as<T>() + o * n * inner + i;
      int64_t best = 0;
      for (int64_t k = 1; k < n; ++k)
        if (better(column[k * inner], column[best * inner])) best = k;
      *y++ = best;
    }
}

template <bool kLargest>
void evaluate(const EvaluateContext& context) {
  const bool last = context.node.int_attribute("select_last_index", 0) != 0;
  visit_number(context.inputs[0].dtype, [&]<typename T>() {
    find<T>(context, [last](T a, T b) { return (last && a == b) || (kLargest ? a > b : a < b); });
  });
}

OpDef search(const char* op_type, void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = 7,
          .max_opset = kNewestOpset,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace

void add_arg_max(std::vector<OpDef>& ops) {
  ops.push_back(search("ArgMax", evaluate<true>));
  ops.push_back(search("ArgMin", evaluate<false>));
}

}  // namespace quantize
