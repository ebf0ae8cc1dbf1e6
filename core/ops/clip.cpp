// Clip: min(max(x, low), high); the bounds are attributes up to opset 10 and optional inputs from 11.
#include <algorithm>

#include "core/ops/support/convert.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  require_type(context, 0, kNumberTypes);
  for (size_t i = 1; i < context.input_count(); ++i) {
    if (!context.has_input(i)) continue;
    require_same_type(context, 0, i);
    const auto shape = context.shape(i);
    if (shape && is_static(*shape) && element_count(*shape) != 1)
      invalid_model("a bound of Clip is no scalar");
  }
  infer_same_as_input(context);
}

template <typename T>
T bound(const EvaluateContext& context, const char* attribute, size_t i, T fallback) {
  if (context.input(i)) return *context.input(i).as<T>();
  return context.node.has_attribute(attribute)
             ? convert_element<T>(context.node.float_attribute(attribute, 0))
             : fallback;
}

template <typename T>
void clip(const EvaluateContext& context) {
  const T low = bound(context, "min", 1, lowest_value<T>());
  const T high = bound(context, "max", 2, highest_value<T>());
  const T* x = context.inputs[0].as<T>();
  T* y = context.outputs[0].as<T>();
  const int64_t size = context.inputs[0].size();
  for (int64_t i = 0; i < size; ++i) y[i] = std::min(std::max(x[i], low), high);
}

void evaluate(const EvaluateContext& context) {
  visit_number(context.inputs[0].dtype, [&]<typename T>() { clip<T>(context); });
}

}  // namespace

void add_clip(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Clip",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .max_inputs = 3,
                 .infer = infer,
                 .evaluate = evaluate,
                 .elementwise = true});
}

}  // namespace quantize
