// Operators that map every element by itself: one line each in add_unary.
#include <algorithm>
#include <cmath>

#include "core/ops/support/convert.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

template <typename T, typename Function>
void map_elements(const EvaluateContext& context, Function function) {
  const T* x = context.inputs[0].as<T>();
  T* y = context.outputs[0].as<T>();
  const int64_t size = context.inputs[0].size();
  for (int64_t i = 0; i < size; ++i) y[i] = static_cast<T>(function(x[i]));
}

void infer_float(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  infer_same_as_input(context);
}

void infer_number(InferContext& context) {
  require_type(context, 0, kNumberTypes);
  infer_same_as_input(context);
}

OpDef unary(const char* op_type, int min_opset, void (*infer)(InferContext&),
            void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = min_opset,
          .max_opset = kNewestOpset,
          .infer = infer,
          .evaluate = evaluate,
          .elementwise = true};
}

/// y = function(x) on floats. `Function` is a lambda without captures.
template <typename Function>
void evaluate_float(const EvaluateContext& context) {
  visit_float(context.inputs[0].dtype, [&]<typename T>() { map_elements<T>(context, Function()); });
}
template <typename Function>
OpDef on_floats(const char* op_type, Function, int min_opset = 7) {
  return unary(op_type, min_opset, infer_float, evaluate_float<Function>);
}

/// The same where there is a kernel for f32.
template <auto kKernel, typename Function>
void evaluate_by_kernel(const EvaluateContext& context) {
  if (context.inputs[0].dtype != DataType::kF32) return evaluate_float<Function>(context);
  (context.kernels.*kKernel)(context.inputs[0].as<float>(), context.outputs[0].as<float>(),
                             static_cast<size_t>(context.inputs[0].size()));
}
template <auto kKernel, typename Function>
OpDef by_kernel(const char* op_type, Function, int min_opset = 7) {
  return unary(op_type, min_opset, infer_float, evaluate_by_kernel<kKernel, Function>);
}

/// The same on all numbers.
template <typename Function>
void evaluate_number(const EvaluateContext& context) {
  visit_number(context.inputs[0].dtype, [&]<typename T>() { map_elements<T>(context, Function()); });
}
template <typename Function>
OpDef on_numbers(const char* op_type, Function) {
  return unary(op_type, 7, infer_number, evaluate_number<Function>);
}

/// y = make(node)(x) on floats: functions with attributes.
template <typename Make>
void evaluate_made(const EvaluateContext& context) {
  visit_float(context.inputs[0].dtype, [&]<typename T>() { map_elements<T>(context, Make()(context.node)); });
}
template <typename Make>
OpDef with_attributes(const char* op_type, Make, int min_opset = 7) {
  return unary(op_type, min_opset, infer_float, evaluate_made<Make>);
}

template <typename T>
T softplus(T x) {
  return std::max(x, T(0)) + std::log1p(std::exp(-std::abs(x)));
}

template <typename T>
T gelu(T x, bool approximate) {
  constexpr double kPi = 3.14159265358979323846;
  const T inner = approximate ? std::tanh(T(std::sqrt(2 / kPi)) * (x + T(0.044715) * x * x * x))
                              : std::erf(x * T(std::sqrt(0.5)));
  return T(0.5) * x * (T(1) + inner);
}

void infer_not(InferContext& context) {
  require_type(context, 0, kBoolOnly);
  infer_same_as_input(context);
}

void evaluate_not(const EvaluateContext& context) {
  map_elements<bool>(context, [](bool x) { return !x; });
}

/// Activation functions of pieces that are lines, or products of such.
void add_bent_activations(std::vector<OpDef>& ops) {
  ops.push_back(with_attributes("HardSigmoid", [](const Node& node) {
    return [alpha = node.float_attribute("alpha", 0.2f), beta = node.float_attribute("beta", 0.5f)](auto x) {
      using T = decltype(x);
      return std::min(std::max(T(alpha) * x + T(beta), T(0)), T(1));
    };
  }));
  ops.push_back(on_floats(
      "HardSwish",
      [](auto x) {
        using T = decltype(x);
        return x * std::min(std::max(x / T(6) + T(0.5), T(0)), T(1));
      },
      14));
  ops.push_back(with_attributes(
      "LeakyRelu",
      [](const Node& node) {
        return [alpha = node.float_attribute("alpha", 0.01f)](auto x) {
          return x < 0 ? static_cast<decltype(x)>(alpha) * x : x;
        };
      },
      7));
  ops.back().scales_by_channel = true;
  ops.push_back(on_numbers("Relu", [](auto x) { return x < decltype(x)(0) ? decltype(x)(0) : x; }));
  ops.back().scales_by_channel = true;
  ops.push_back(with_attributes(
      "Shrink",
      [](const Node& node) {
        return
            [bias = node.float_attribute("bias", 0.0f), lambd = node.float_attribute("lambd", 0.5f)](auto x) {
              using T = decltype(x);
              return x < T(-lambd) ? x + T(bias) : x > T(lambd) ? x - T(bias) : T(0);
            };
      },
      9));
  ops.push_back(with_attributes(
      "ThresholdedRelu",
      [](const Node& node) {
        return [alpha = node.float_attribute("alpha", 1.0f)](auto x) {
          using T = decltype(x);
          return x > T(alpha) ? x : T(0);
        };
      },
      10));
}

/// Activation functions with exponentials or quotients.
void add_smooth_activations(std::vector<OpDef>& ops) {
  ops.push_back(with_attributes(
      "Celu",
      [](const Node& node) {
        return [alpha = node.float_attribute("alpha", 1.0f)](auto x) {
          using T = decltype(x);
          return std::max(T(0), x) + std::min(T(0), T(alpha) * std::expm1(x / T(alpha)));
        };
      },
      12));
  ops.push_back(with_attributes("Elu", [](const Node& node) {
    return [alpha = node.float_attribute("alpha", 1.0f)](auto x) {
      return x < 0 ? static_cast<decltype(x)>(alpha) * std::expm1(x) : x;
    };
  }));
  ops.push_back(with_attributes(
      "Gelu",
      [](const Node& node) {
        return [approximate = node.string_attribute("approximate", "none") == "tanh"](auto x) {
          return gelu(x, approximate);
        };
      },
      20));
  ops.push_back(on_floats(
      "Mish", [](auto x) { return x * std::tanh(softplus(x)); }, 18));
  ops.push_back(with_attributes("Selu", [](const Node& node) {
    const float alpha = node.float_attribute("alpha", 1.67326319217681884765625f);
    const float gamma = node.float_attribute("gamma", 1.05070102214813232421875f);
    return [alpha, gamma](auto x) {
      using T = decltype(x);
      return T(gamma) * (x > 0 ? x : T(alpha) * std::expm1(x));
    };
  }));
  ops.push_back(on_floats("Softplus", [](auto x) { return softplus(x); }));
  ops.push_back(on_floats("Softsign", [](auto x) { return x / (1 + std::abs(x)); }));
  ops.push_back(with_attributes(
      "Swish",
      [](const Node& node) {
        return [alpha = node.float_attribute("alpha", 1.0f)](auto x) {
          using T = decltype(x);
          return x / (T(1) + std::exp(-T(alpha) * x));
        };
      },
      24));
  ops.push_back(by_kernel<&KernelTable::tanh_f32>("Tanh", [](auto x) { return std::tanh(x); }));
}

void add_trigonometry(std::vector<OpDef>& ops) {
  ops.push_back(on_floats("Acos", [](auto x) { return std::acos(x); }));
  ops.push_back(on_floats(
      "Acosh", [](auto x) { return std::acosh(x); }, 9));
  ops.push_back(on_floats("Asin", [](auto x) { return std::asin(x); }));
  ops.push_back(on_floats(
      "Asinh", [](auto x) { return std::asinh(x); }, 9));
  ops.push_back(on_floats("Atan", [](auto x) { return std::atan(x); }));
  ops.push_back(on_floats(
      "Atanh", [](auto x) { return std::atanh(x); }, 9));
  ops.push_back(on_floats("Cos", [](auto x) { return std::cos(x); }));
  ops.push_back(on_floats(
      "Cosh", [](auto x) { return std::cosh(x); }, 9));
  ops.push_back(on_floats("Sin", [](auto x) { return std::sin(x); }));
  ops.push_back(on_floats(
      "Sinh", [](auto x) { return std::sinh(x); }, 9));
  ops.push_back(on_floats("Tan", [](auto x) { return std::tan(x); }));
}

void infer_test(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  context.set_output(0, DataType::kBool, context.shape(0));
}

/// y = make(node)(x), a bool.
template <typename Make>
void evaluate_test(const EvaluateContext& context) {
  visit_float(context.inputs[0].dtype, [&]<typename T>() {
    const auto holds = Make()(context.node);
    const T* x = context.inputs[0].as<T>();
    for (int64_t i = 0; i < context.inputs[0].size(); ++i) context.outputs[0].as<bool>()[i] = holds(x[i]);
  });
}
template <typename Make>
OpDef test_of(const char* op_type, Make, int min_opset) {
  return unary(op_type, min_opset, infer_test, evaluate_test<Make>);
}

void add_tests(std::vector<OpDef>& ops) {
  ops.push_back(test_of(
      "IsInf",
      [](const Node& node) {
        return [negative = node.int_attribute("detect_negative", 1) != 0,
                positive = node.int_attribute("detect_positive", 1) != 0](auto x) {
          return std::isinf(x) && (x < 0 ? negative : positive);
        };
      },
      10));
  ops.push_back(test_of(
      "IsNaN", [](const Node&) { return [](auto x) { return std::isnan(x); }; }, 9));
}

}  // namespace

void add_unary(std::vector<OpDef>& ops) {
  add_bent_activations(ops);
  add_smooth_activations(ops);
  add_trigonometry(ops);
  add_tests(ops);
  ops.push_back(on_numbers("Abs", [](auto x) { return x < decltype(x)(0) ? negated(x) : x; }));
  ops.push_back(on_floats("Ceil", [](auto x) { return std::ceil(x); }));
  ops.push_back(by_kernel<&KernelTable::erf_f32>(
      "Erf", [](auto x) { return std::erf(x); }, 9));
  ops.push_back(by_kernel<&KernelTable::exp_f32>("Exp", [](auto x) { return std::exp(x); }));
  ops.push_back(on_floats("Floor", [](auto x) { return std::floor(x); }));
  ops.push_back(on_floats("Log", [](auto x) { return std::log(x); }));
  ops.push_back(on_numbers("Neg", [](auto x) { return negated(x); }));
  ops.push_back(unary("Not", 7, infer_not, evaluate_not));
  ops.push_back(on_floats("Reciprocal", [](auto x) { return 1 / x; }));
  ops.push_back(on_floats(
      "Round", [](auto x) { return std::nearbyint(x); }, 11));  // half to even
  ops.push_back(on_numbers("Sign", [](auto x) { return (x > decltype(x)(0)) - (x < decltype(x)(0)); }));
  ops.push_back(on_floats("Sqrt", [](auto x) { return std::sqrt(x); }));
}

}  // namespace quantize
