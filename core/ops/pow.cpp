// Pow: x to the power of y, in the type of x.
#include <algorithm>
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

bool is_square(const TensorView& exponent) {
  return exponent.dtype == DataType::kF32 && exponent.size() == 1 && exponent.as<float>()[0] == 2;
}

void evaluate(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  if (x.dtype == DataType::kF32 && x.size() == context.outputs[0].size() && is_square(context.inputs[1])) {
    std::transform(x.as<float>(), x.as<float>() + x.size(), context.outputs[0].as<float>(),
                   [](float each) { return each * each; });
    return;
  }
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
