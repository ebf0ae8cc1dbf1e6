// Pow: x to the power of y, in the type of x.
#include <cmath>

#include "core/ops/support/broadcast.h"
#include "core/ops/support/convert.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  require_type(context, 0, kNumberTypes);
  require_type(context, 1, kNumberTypes);
  context.set_output(0, context.input(0).dtype, broadcast_inputs(context));
}

/// Floats stay in their precision if the exponent has it too; the common square is one multiplication.
template <typename T, typename Exponent>
T power(T x, Exponent y) {
  if constexpr (std::is_same_v<T, Exponent> && std::is_floating_point_v<T>)
    return y == 2 ? x * x : std::pow(x, y);
  else
    return convert_element<T>(std::pow(static_cast<double>(x), static_cast<double>(y)));
}

void evaluate(const EvaluateContext& context) {
  visit_number(context.inputs[0].dtype, [&]<typename T>() {
    visit_number(context.inputs[1].dtype, [&]<typename Exponent>() {
      map_pairs<T, Exponent, T>(context.inputs[0], context.inputs[1], context.outputs[0], power<T, Exponent>);
    });
  });
}

}  // namespace

void add_pow(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Pow",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer,
                 .evaluate = evaluate,
                 .elementwise = true});
}

}  // namespace quantize
