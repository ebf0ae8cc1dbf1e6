// Operators of two inputs, element by element, with broadcasting: arithmetic, comparison, logic. One line
// each in add_binary.
#include <cmath>
#include <limits>

#include "core/ops/support/broadcast.h"
#include "core/ops/support/convert.h"

namespace quantize {

namespace {

void infer_arithmetic(InferContext& context) {
  require_type(context, 0, kNumberTypes);
  require_same_type(context, 0, 1);
  context.set_output(0, context.input(0).dtype, broadcast_inputs(context));
}

void infer_comparison(InferContext& context) {
  require_type(context, 0, kNumberTypes);
  require_same_type(context, 0, 1);
  context.set_output(0, DataType::kBool, broadcast_inputs(context));
}

void infer_logic(InferContext& context) {
  require_type(context, 0, kBoolOnly);
  require_same_type(context, 0, 1);
  context.set_output(0, DataType::kBool, broadcast_inputs(context));
}

void infer_equal(InferContext& context) {
  if (context.input(0).dtype == DataType::kBool)
    infer_logic(context);
  else
    infer_comparison(context);
}

OpDef binary(const char* op_type, int min_opset, void (*infer)(InferContext&),
             void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = min_opset,
          .max_opset = kNewestOpset,
          .min_inputs = 2,
          .max_inputs = 2,
          .infer = infer,
          .evaluate = evaluate,
          .elementwise = true};
}

// `Function` is a lambda without captures.
template <typename Function>
void evaluate_arithmetic(const EvaluateContext& context) {
  visit_number(context.inputs[0].dtype, [&]<typename T>() {
    map_pairs<T, T, T>(context.inputs[0], context.inputs[1], context.outputs[0], Function());
  });
}
template <typename Function>
OpDef arithmetic(const char* op_type, Function) {
  return binary(op_type, 7, infer_arithmetic, evaluate_arithmetic<Function>);
}

template <typename Function>
void evaluate_logic(const EvaluateContext& context) {
  map_pairs<bool, bool, bool>(context.inputs[0], context.inputs[1], context.outputs[0], Function());
}
template <typename Function>
OpDef logic(const char* op_type, Function) {
  return binary(op_type, 7, infer_logic, evaluate_logic<Function>);
}

template <typename Function>
void evaluate_comparison(const EvaluateContext& context) {
  if (context.inputs[0].dtype == DataType::kBool) return evaluate_logic<Function>(context);
  visit_number(context.inputs[0].dtype, [&]<typename T>() {
    map_pairs<T, T, bool>(context.inputs[0], context.inputs[1], context.outputs[0], Function());
  });
}
template <typename Function>
OpDef comparison(const char* op_type, int min_opset, Function,
                 void (*infer)(InferContext&) = infer_comparison) {
  return binary(op_type, min_opset, infer, evaluate_comparison<Function>);
}

/// Computes with the unsigned integer of the same width, so that overflow wraps around.
template <typename T, typename Function>
T wrapping(T a, T b, Function function) {
  if constexpr (std::is_integral_v<T>) {
    using Wide = std::common_type_t<std::make_unsigned_t<T>, unsigned>;
    return static_cast<T>(function(static_cast<Wide>(a), static_cast<Wide>(b)));
  } else {
    return function(a, b);
  }
}

template <typename T>
T divide(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) invalid_model("an integer is divided by zero");
    if constexpr (std::is_signed_v<T>)
      if (b == -1) return negated(a);  // the one quotient that may not fit
    return static_cast<T>(a / b);
  } else {
    return a / b;
  }
}

/// Remainder with the sign of the divisor, as in Python.
template <typename T>
T modulo(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) invalid_model("an integer is divided by zero");
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
      const T rest = static_cast<T>(a % b);
      return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    } else {
      return static_cast<T>(a % b);
    }
  } else {
    const T rest = std::fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
}

/// Remainder with the sign of the dividend, as in C.
template <typename T>
T remainder(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) invalid_model("an integer is divided by zero");
    if constexpr (std::is_signed_v<T>)
      if (b == -1) return 0;
    return static_cast<T>(a % b);
  } else {
    return std::fmod(a, b);
  }
}

void evaluate_mod(const EvaluateContext& context) {
  if (context.node.int_attribute("fmod", 0) != 0)
    evaluate_arithmetic<decltype([](auto a, auto b) { return remainder(a, b); })>(context);
  else
    evaluate_arithmetic<decltype([](auto a, auto b) { return modulo(a, b); })>(context);
}

/// The slope broadcasts to x, never the other way.
void infer_prelu(InferContext& context) {
  infer_arithmetic(context);
  const auto x = context.shape(0);
  const auto y = broadcast_inputs(context);
  if (x && y && is_static(*x) && *y != *x) invalid_model("the slope does not broadcast to the input");
  context.set_output(0, context.input(0).dtype, x);
}

/// Both inputs have one shape: nothing is repeated.
void infer_swiglu(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  require_same_type(context, 0, 1);
  const auto a = context.shape(0), b = context.shape(1);
  if (a && b && is_static(*a) && is_static(*b) && *a != *b)
    invalid_model("the gate has shape " + to_string(*a) + " and the values have " + to_string(*b));
  infer_same_as_input(context);
}

void evaluate_swiglu(const EvaluateContext& context) {
  const float alpha = context.node.float_attribute("alpha", 1.0f);
  visit_float(context.inputs[0].dtype, [&]<typename T>() {
    map_pairs<T, T, T>(context.inputs[0], context.inputs[1], context.outputs[0], [alpha](T gate, T value) {
      return gate / (T(1) + std::exp(-T(alpha) * gate)) * value;
    });
  });
}

}  // namespace

void add_binary(std::vector<OpDef>& ops) {
  const auto times = [](auto a, auto b) { return wrapping(a, b, [](auto x, auto y) { return x * y; }); };
  ops.push_back(
      arithmetic("Add", [](auto a, auto b) { return wrapping(a, b, [](auto x, auto y) { return x + y; }); }));
  ops.back().sums = true;
  ops.push_back(
      arithmetic("Sub", [](auto a, auto b) { return wrapping(a, b, [](auto x, auto y) { return x - y; }); }));
  ops.back().sums = true;
  ops.push_back(arithmetic("Mul", times));
  ops.push_back(arithmetic("Div", [](auto a, auto b) { return divide(a, b); }));
  ops.push_back(binary("Mod", 10, infer_arithmetic, evaluate_mod));
  const auto prelu = [](auto x, auto slope) {
    return x < decltype(x)(0) ? wrapping(x, slope, [](auto a, auto b) { return a * b; }) : x;
  };
  ops.push_back(binary("PRelu", 7, infer_prelu, evaluate_arithmetic<decltype(prelu)>));
  ops.back().scales_by_channel = true;
  ops.push_back(binary("SwiGLU", 28, infer_swiglu, evaluate_swiglu));
  ops.push_back(comparison(
      "Equal", 7, [](auto a, auto b) { return a == b; }, infer_equal));
  ops.push_back(comparison("Greater", 7, [](auto a, auto b) { return a > b; }));
  ops.push_back(comparison("GreaterOrEqual", 12, [](auto a, auto b) { return a >= b; }));
  ops.push_back(comparison("Less", 7, [](auto a, auto b) { return a < b; }));
  ops.push_back(comparison("LessOrEqual", 12, [](auto a, auto b) { return a <= b; }));
  ops.push_back(logic("And", [](bool a, bool b) { return a && b; }));
  ops.push_back(logic("Or", [](bool a, bool b) { return a || b; }));
  ops.push_back(logic("Xor", [](bool a, bool b) { return a != b; }));
}

}  // namespace quantize
