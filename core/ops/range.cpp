// Range: start, start + delta, ... up to but without limit.
#include <cmath>

#include "core/ops/support/convert.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

template <typename T>
int64_t range_size(T start, T limit, T delta) {
  if (delta == 0) invalid_model("Range has a delta of 0");
  if constexpr (std::is_integral_v<T>) {
    if (delta > 0 ? start >= limit : start <= limit) return 0;
    const auto distance = delta > 0 ? static_cast<uint64_t>(limit) - static_cast<uint64_t>(start)
                                    : static_cast<uint64_t>(start) - static_cast<uint64_t>(limit);
    const auto step = static_cast<uint64_t>(delta > 0 ? delta : negated(delta));
    const uint64_t size = (distance - 1) / step + 1;
    if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) invalid_model("Range is too long");
    return static_cast<int64_t>(size);
  } else {
    const double size = std::ceil((double{limit} - double{start}) / double{delta});
    if (std::isnan(size)) invalid_model("Range has a bound that is not a number");
    return convert_element<int64_t>(std::max(size, 0.0));
  }
}

/// The scalar input i, if it is known.
template <typename T>
std::optional<T> scalar(const InferContext& context, size_t i) {
  if (const Tensor* constant = context.constant(i); constant != nullptr && constant->size() == 1)
    return constant->data<T>()[0];
  const auto elements = context.all_integers(i);
  if (elements && elements->size() == 1) return static_cast<T>((*elements)[0]);
  return std::nullopt;
}

void infer(InferContext& context) {
  require_type(context, 0, kNumberTypes);
  for (size_t i = 0; i < 3; ++i) {
    require_same_type(context, 0, i);
    const auto shape = context.shape(i);
    if (shape && is_static(*shape) && element_count(*shape) != 1)
      invalid_model("a bound of Range is no scalar");
  }
  Shape y{kUnknownDim};
  const DataType dtype = context.input(0).dtype;
  if (dtype != DataType::kUndefined)
    visit_number(dtype, [&]<typename T>() {
      const auto start = scalar<T>(context, 0), limit = scalar<T>(context, 1), delta = scalar<T>(context, 2);
      if (start && limit && delta) y[0] = range_size(*start, *limit, *delta);
    });
  context.set_output(0, dtype, y);
}

void evaluate(const EvaluateContext& context) {
  visit_number(context.outputs[0].dtype, [&]<typename T>() {
    const T start = *context.inputs[0].as<T>(), delta = *context.inputs[2].as<T>();
    T* y = context.outputs[0].as<T>();
    for (int64_t i = 0; i < context.outputs[0].size(); ++i) {
      if constexpr (std::is_integral_v<T>)
        y[i] = static_cast<T>(static_cast<uint64_t>(start) +
                              static_cast<uint64_t>(i) * static_cast<uint64_t>(delta));
      else
        y[i] = start + static_cast<T>(i) * delta;
    }
  });
}

}  // namespace

void add_range(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Range",
                 .domain = "",
                 .min_opset = 11,
                 .max_opset = kNewestOpset,
                 .min_inputs = 3,
                 .max_inputs = 3,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
