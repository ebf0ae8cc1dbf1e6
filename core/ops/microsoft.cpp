// Operators of com.microsoft that ONNX Runtime's optimizer writes for several of ONNX's own: Gelu, FastGelu, QuickGelu,
// BiasGelu, FusedMatMul, FusedGemm, FusedConv, SkipLayerNormalization.
// Source: onnxruntime, docs/ContribOperators.md.
#include <algorithm>
#include <cmath>

#include "core/ops/conv.h"
#include "core/ops/gemm.h"
#include "core/ops/matmul.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

float gelu(float x) {
  return 0.5f * x * (1 + std::erf(x * static_cast<float>(std::sqrt(0.5))));
}

float fast_gelu(float x) {
  constexpr float kRoot = 0.7978845608028654f;  // sqrt(2 / pi)
  return 0.5f * x * (1 + std::tanh(kRoot * (x + 0.044715f * x * x * x)));
}

void infer_same(InferContext& context) {
  require_f32(context);
  infer_same_as_input(context);
}

/// A vector along the last axis, added before the function.
void infer_biased(InferContext& context) {
  infer_same(context);
  const auto x = context.shape(0);
  require(!x || !x->empty(), "a scalar has no axis to add a bias along");
  require_vector(context, 1, x ? x->back() : kUnknownDim);
}

template <float (*kFunction)(float)>
void evaluate_biased(const EvaluateContext& context) {
  const TensorView x = context.inputs[0], bias = context.input(1);
  const int64_t n = x.shape.empty() ? 1 : x.shape.back();
  for (int64_t i = 0; i < x.size(); ++i)
    context.outputs[0].as<float>()[i] = kFunction(x.as<float>()[i] + (bias ? bias.as<float>()[i % n] : 0.0f));
}

void evaluate_quick(const EvaluateContext& context) {
  const float alpha = context.node.float_attribute("alpha", 1.702f);
  const TensorView& x = context.inputs[0];
  for (int64_t i = 0; i < x.size(); ++i) {
    const float value = x.as<float>()[i];
    context.outputs[0].as<float>()[i] = value / (1 + std::exp(-alpha * value));
  }
}

/// The operands of a FusedMatMul, with the last two axes exchanged where it says so.
struct Product {
  MatMulOperands operands;
  bool transposed_a, transposed_b;
};

Shape exchanged(Dims shape, bool transposed) {
  Shape result(shape.begin(), shape.end());
  if (transposed && result.size() >= 2) std::swap(result[result.size() - 1], result[result.size() - 2]);
  return result;
}

Product product_of(const Node& node, Dims a, Dims b) {
  if (node.int_attribute("transBatchA", 0) != 0 || node.int_attribute("transBatchB", 0) != 0)
    throw Error(ErrorKind::kUnsupported,
                "FusedMatMul that transposes batches is not supported; export the model "
                "without ONNX Runtime's optimization");
  const bool transposed_a = node.int_attribute("transA", 0) != 0,
             transposed_b = node.int_attribute("transB", 0) != 0;
  return {matmul_operands(exchanged(a, transposed_a), exchanged(b, transposed_b)),
          transposed_a && a.size() > 1, transposed_b && b.size() > 1};
}

void infer_matmul(InferContext& context) {
  require_f32(context);
  const auto a = context.shape(0), b = context.shape(1);
  if (!a || !b) return context.set_output(0, DataType::kF32, std::nullopt);
  context.set_output(0, DataType::kF32, product_of(context.node, *a, *b).operands.output);
}

void evaluate_matmul(const EvaluateContext& context) {
  const auto [shapes, transposed_a, transposed_b] =
      product_of(context.node, context.inputs[0].shape, context.inputs[1].shape);
  const float alpha = context.node.float_attribute("alpha", 1);
  const int64_t m = shapes.a[shapes.a.size() - 2], k = shapes.a.back(), n = shapes.b.back();
  float* y = context.outputs[0].as<float>();
  for (int64_t batch = 0; batch < element_count(shapes.batch); ++batch) {
    const float* a = context.inputs[0].as<float>() + matrix_index(shapes.batch, shapes.a, batch) * m * k;
    const float* b = context.inputs[1].as<float>() + matrix_index(shapes.batch, shapes.b, batch) * k * n;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        float sum = 0;
        for (int64_t l = 0; l < k; ++l)
          sum += a[transposed_a ? l * m + i : i * k + l] * b[transposed_b ? j * k + l : l * n + j];
        *y++ = alpha * sum;
      }
  }
}

/// The activation behind a FusedConv or FusedGemm; its parameters are alpha and beta.
float activated(const std::string& name, const std::vector<float>& params, float x) {
  if (name.empty()) return x;
  const auto param = [&](size_t i, float fallback) { return i < params.size() ? params[i] : fallback; };
  if (name == "Relu") return std::max(x, 0.0f);
  if (name == "Sigmoid") return 1 / (1 + std::exp(-x));
  if (name == "Tanh") return std::tanh(x);
  if (name == "LeakyRelu") return x < 0 ? param(0, 0.01f) * x : x;
  if (name == "Clip") return std::min(std::max(x, param(0, -HUGE_VALF)), param(1, HUGE_VALF));
  if (name == "HardSigmoid") return std::clamp(param(0, 0.2f) * x + param(1, 0.5f), 0.0f, 1.0f);
  throw Error(ErrorKind::kUnsupported,
              "activation '" + name +
                  "' of a fused operator is not supported; export the model without ONNX Runtime's "
                  "optimization");
}

void infer_conv(InferContext& context) {
  require_f32(context);
  activated(context.node.string_attribute("activation", ""),
            context.node.floats_attribute("activation_params", {}), 0);
  const auto x = context.shape(0), w = context.shape(1), z = context.shape(3);
  if (!x || !w) return context.set_output(0, DataType::kF32, std::nullopt);
  const Shape y = conv_output_shape(context.node, *x, *w, context.shape(2));
  require(!z || !is_static(*z) || !is_static(y) || *z == y,
          "the operand that FusedConv adds does not fit its output");
  context.set_output(0, DataType::kF32, y);
}

void evaluate_conv(const EvaluateContext& context) {
  const TensorView x = context.inputs[0], w = context.inputs[1], bias = context.input(2),
                   z = context.input(3);
  const std::string activation = context.node.string_attribute("activation", "");
  const std::vector<float> params = context.node.floats_attribute("activation_params", {});
  float* y = context.outputs[0].as<float>();
  int64_t i = 0;
  convolve<float>(
      context.node, x.shape, w.shape, x.as<float>(), w.as<float>(), [&](float sum, int64_t channel) {
        const float whole = sum + (bias ? bias.as<float>()[channel] : 0.0f) + (z ? z.as<float>()[i] : 0.0f);
        y[i++] = activated(activation, params, whole);
      });
}

std::vector<float> gemm_params(const Node& node) {
  std::vector<float> params;
  for (const char* name : {"activation_alpha", "activation_beta", "activation_gamma"})
    if (node.has_attribute(name)) params.push_back(node.float_attribute(name, 0));
  return params;
}

void infer_gemm(InferContext& context) {
  activated(context.node.string_attribute("activation", ""), gemm_params(context.node), 0);
  infer_plain_gemm(context);
}

void evaluate_gemm(const EvaluateContext& context) {
  evaluate_plain_gemm(context);
  const std::string activation = context.node.string_attribute("activation", "");
  const std::vector<float> params = gemm_params(context.node);
  const MutableTensorView& y = context.outputs[0];
  for (int64_t i = 0; i < y.size(); ++i) y.as<float>()[i] = activated(activation, params, y.as<float>()[i]);
}

/// Outputs by position: the second and third hold statistics, the fourth what is normalized.
void infer_skip(InferContext& context) {
  require_f32(context);
  const auto x = context.shape(0), skip = context.shape(1);
  require(!x || x->size() >= 2, "the input has no axis to normalize along");
  require(!x || !skip || !is_static(*x) || !is_static(*skip) || *x == *skip,
          "both inputs must have one shape");
  for (size_t i = 2; i < 5; ++i) require_vector(context, i, x ? x->back() : kUnknownDim);
  infer_same_as_input(context);
  std::optional<Shape> statistics = x;
  if (statistics) statistics->back() = 1;
  context.set_output(1, DataType::kF32, statistics);
  context.set_output(2, DataType::kF32, statistics);
  context.set_output(3, DataType::kF32, x);
}

void evaluate_skip(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const TensorView beta = context.input(3), bias = context.input(4);
  const int64_t n = x.shape.back();
  const double epsilon = static_cast<double>(context.node.float_attribute("epsilon", 1e-12f));
  std::vector<float> row(static_cast<size_t>(n));
  for (int64_t begin = 0; begin < x.size(); begin += n) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; ++i) {
      float& value = row[static_cast<size_t>(i)];
      value = x.as<float>()[begin + i] + context.inputs[1].as<float>()[begin + i] +
              (bias ? bias.as<float>()[i] : 0.0f);
      sum += static_cast<double>(value);
    }
    const double mean = sum / static_cast<double>(n);
    for (const float value : row)
      squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
    const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + epsilon);
    for (int64_t i = 0; i < n; ++i)
      context.outputs[0].as<float>()[begin + i] =
          static_cast<float>((static_cast<double>(row[static_cast<size_t>(i)]) - mean) * factor) *
              context.inputs[2].as<float>()[i] +
          (beta ? beta.as<float>()[i] : 0.0f);
    const double statistics[] = {mean, factor};
    for (size_t i = 1; i < 3 && i < context.outputs.size(); ++i)
      if (context.outputs[i])
        context.outputs[i].as<float>()[begin / n] = static_cast<float>(statistics[i - 1]);
    if (context.outputs.size() > 3 && context.outputs[3])
      std::copy(row.begin(), row.end(), context.outputs[3].as<float>() + begin);
  }
}

OpDef microsoft(const char* op_type, size_t min_inputs, size_t max_inputs, void (*infer)(InferContext&),
                void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "com.microsoft",
          .min_opset = 1,
          .max_opset = 1,
          .min_inputs = min_inputs,
          .max_inputs = max_inputs,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace

void add_microsoft(std::vector<OpDef>& ops) {
  ops.push_back(microsoft("BiasGelu", 2, 2, infer_biased, evaluate_biased<gelu>));
  ops.push_back(microsoft("FastGelu", 1, 2, infer_biased, evaluate_biased<fast_gelu>));
  ops.push_back(microsoft("FusedConv", 2, 4, infer_conv, evaluate_conv));
  ops.push_back(microsoft("FusedGemm", 2, 3, infer_gemm, evaluate_gemm));
  ops.push_back(microsoft("FusedMatMul", 2, 2, infer_matmul, evaluate_matmul));
  ops.push_back(microsoft("Gelu", 1, 1, infer_same, evaluate_biased<gelu>));
  ops.back().elementwise = true;
  ops.push_back(microsoft("QuickGelu", 1, 1, infer_same, evaluate_quick));
  ops.back().elementwise = true;
  ops.push_back(microsoft("SkipLayerNormalization", 3, 5, infer_skip, evaluate_skip));
  ops.back().max_outputs = 4;
}

}  // namespace quantize
