// Max, Min, Sum and Mean of any number of inputs, with broadcasting.
#include "core/ops/support/broadcast.h"
#include "core/ops/support/convert.h"

namespace quantize {

namespace {

void infer(InferContext& context, std::span<const DataType> types) {
  for (size_t i = 0; i < context.input_count(); ++i) {
    if (!context.has_input(i)) invalid_model("input " + std::to_string(i) + " is missing");
    require_type(context, i, types);
    require_same_type(context, 0, i);
  }
  context.set_output(0, context.input(0).dtype, broadcast_inputs(context));
}

void infer_numbers(InferContext& context) {
  infer(context, kNumberTypes);
}
void infer_floats(InferContext& context) {
  infer(context, kFloatTypes);
}

/// y = f(... f(f(x0, x1), x2) ...).
template <typename T, typename Function>
void fold_inputs(const EvaluateContext& context, Function function) {
  const MutableTensorView& y = context.outputs[0];
  const TensorView& first = context.inputs[0];
  if (context.inputs.size() == 1) {
    copy_strided(y.shape, first.data, strides_of(first.shape), y.data, sizeof(T));
    return;
  }
  map_pairs<T, T, T>(first, context.inputs[1], y, function);
  for (size_t i = 2; i < context.inputs.size(); ++i) map_pairs<T, T, T>(y, context.inputs[i], y, function);
}

template <typename Function>
void evaluate_numbers(const EvaluateContext& context) {
  visit_number(context.outputs[0].dtype, [&]<typename T>() { fold_inputs<T>(context, Function()); });
}

void evaluate_sum(const EvaluateContext& context) {
  visit_float(context.outputs[0].dtype,
              [&]<typename T>() { fold_inputs<T>(context, [](T a, T b) { return a + b; }); });
}

void evaluate_mean(const EvaluateContext& context) {
  evaluate_sum(context);
  visit_float(context.outputs[0].dtype, [&]<typename T>() {
    const T count = static_cast<T>(context.inputs.size());
    T* y = context.outputs[0].as<T>();
    for (int64_t i = 0; i < context.outputs[0].size(); ++i) y[i] /= count;
  });
}

OpDef variadic(const char* op_type, void (*infer)(InferContext&), void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = 7,
          .max_opset = kNewestOpset,
          .max_inputs = kAnyNumber,
          .infer = infer,
          .evaluate = evaluate,
          .elementwise = true};
}

}  // namespace

void add_variadic(std::vector<OpDef>& ops) {
  // NaN wins on either side, as in numpy.
  const auto larger = [](auto a, auto b) { return a > b || a != a ? a : b; };
  const auto smaller = [](auto a, auto b) { return a < b || a != a ? a : b; };
  ops.push_back(variadic("Max", infer_numbers, evaluate_numbers<decltype(larger)>));
  ops.push_back(variadic("Mean", infer_floats, evaluate_mean));
  ops.push_back(variadic("Min", infer_numbers, evaluate_numbers<decltype(smaller)>));
  ops.push_back(variadic("Sum", infer_floats, evaluate_sum));
  ops.back().sums = true;
}

}  // namespace quantize
