// Read store_weights(), at the end, first: blocks of any kind are runs of one channel.
#include "core/quantization/modes/store_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include "core/ops/op.h"
#include "core/quant_params.h"
#include "core/quantization/bias_correction.h"

namespace quantize {

namespace {

struct Axes {
  int64_t channel, block;
};

/// An operand of an operator, and its axes for a constant of so many axes.
struct OperandKind {
  std::string_view op_type;
  size_t input;
  Axes (*axes)(const Node& node, int64_t rank);
};

Axes first_axes(const Node&, int64_t) {
  return {0, 1};
}
Axes second_axes(const Node&, int64_t) {
  return {1, 0};
}
Axes rows(const Node&, int64_t rank) {
  return {rank - 2, rank - 1};
}
Axes columns(const Node&, int64_t rank) {
  return {rank - 1, rank - 2};
}
Axes gates(const Node&, int64_t) {
  return {1, 2};
}
Axes gemm_a(const Node& node, int64_t) {
  return node.int_attribute("transA", 0) != 0 ? Axes{1, 0} : Axes{0, 1};
}
Axes gemm_b(const Node& node, int64_t) {
  return node.int_attribute("transB", 0) != 0 ? Axes{0, 1} : Axes{1, 0};
}
/// A row of the table has a scale; blocks go along the last axis, or the first if the rows lie on the last.
Axes table(const Node& node, int64_t rank) {
  const int64_t axis = node.int_attribute("axis", 0), row = axis < 0 ? axis + rank : axis;
  return {row, row == rank - 1 ? 0 : rank - 1};
}

constexpr OperandKind kOperands[] = {
    {"Conv", 1, first_axes}, {"ConvTranspose", 1, second_axes},
    {"Gemm", 0, gemm_a},     {"Gemm", 1, gemm_b},
    {"MatMul", 0, rows},     {"MatMul", 1, columns},
    {"LSTM", 1, gates},      {"LSTM", 2, gates},
    {"GRU", 1, gates},       {"GRU", 2, gates},
    {"RNN", 1, gates},       {"RNN", 2, gates},
    {"Gather", 0, table},
};

bool can_be_stored(const Tensor* constant) {
  if (constant == nullptr || constant->dtype() != DataType::kF32 || constant->shape().size() < 2)
    return false;
  const float* x = constant->data<float>();
  return constant->size() > 0 &&
         std::all_of(x, x + constant->size(), [](float v) { return std::isfinite(v); });
}

struct Codes {
  int32_t low, high;
};

Codes codes_of(int64_t bits) {
  const int32_t high = (1 << (bits - 1)) - 1;
  return {bits == 8 ? -high : -high - 1, high};
}

/// Scales that are tried for few bits, in shares of the one that holds the largest weight.
constexpr std::array kScales{1.0f, 0.96f, 0.92f, 0.88f, 0.84f, 0.8f, 0.75f, 0.7f, 0.65f, 0.6f, 0.5f};

double error_of(const std::vector<float>& weights, float scale, Codes codes) {
  double error = 0;
  for (const float w : weights) {
    const double d =
        double{w} - double{dequantize_value(quantize_value(w, scale, 0, codes.low, codes.high), scale, 0)};
    error += d * d;
  }
  return error;
}

float choose_scale(const std::vector<float>& weights, int64_t bits) {
  const Codes codes = codes_of(bits);
  float largest = 0;
  for (const float w : weights) largest = std::max(largest, std::abs(w));
  if (largest == 0) return 1;
  const float whole = std::max(largest / static_cast<float>(codes.high), std::numeric_limits<float>::min());
  if (bits == 8) return whole;
  float best = whole;
  double least = std::numeric_limits<double>::infinity();
  for (const float share : kScales) {
    const float scale = std::max(whole * share, std::numeric_limits<float>::min());
    const double error = error_of(weights, scale, codes);
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

/// For each element of a tensor, in order: the number of its scale.
std::vector<int64_t> scale_numbers(const Shape& shape, const StoredWeights& stored) {
  const Shape& scales = stored.scales.shape();
  std::vector<int64_t> numbers(static_cast<size_t>(element_count(shape)));
  std::vector<int64_t> place(shape.size(), 0);
  if (stored.scales.size() == 1) return numbers;
  for (int64_t& number : numbers) {
    if (stored.block == 0) {
      number = place[static_cast<size_t>(stored.axis)];
    } else {
      number = 0;
      for (size_t d = 0; d < shape.size(); ++d)
        number = number * scales[d] +
                 (static_cast<int64_t>(d) == stored.axis ? place[d] / stored.block : place[d]);
    }
    for (size_t d = shape.size(); d-- > 0 && ++place[d] == shape[d];) place[d] = 0;
  }
  return numbers;
}

}  // namespace

std::vector<WeightOperand> weight_operands(const Graph& graph, const Node& node) {
  std::vector<WeightOperand> operands;
  if (!node.domain.empty()) return operands;
  for (const OperandKind& kind : kOperands) {
    const Tensor* constant = node.op_type == kind.op_type ? graph.constant(node.input(kind.input)) : nullptr;
    if (!can_be_stored(constant)) continue;
    const Axes axes = kind.axes(node, static_cast<int64_t>(constant->shape().size()));
    operands.push_back({kind.input, axes.channel, axes.block});
  }
  return operands;
}

StoredWeights store_weights(const Tensor& weights, const WeightOperand& operand, const StorageType& type) {
  StoredWeights stored;
  stored.input = operand.input;
  stored.dtype = type.codes.type;
  stored.opset = type.codes.opset;
  Shape scales = weights.shape();
  const bool blocks = type.block != 0 && scales[static_cast<size_t>(operand.block_axis)] > type.block;
  stored.block = blocks ? type.block : 0;
  stored.axis = blocks ? operand.block_axis : operand.channel_axis;
  int64_t& extent = scales[static_cast<size_t>(stored.axis)];
  if (blocks)
    extent = (extent + type.block - 1) / type.block;
  else
    scales = {extent};
  stored.scales = Tensor(DataType::kF32, scales);
  stored.codes = Tensor(DataType::kS8, weights.shape());

  const std::vector<int64_t> numbers = scale_numbers(weights.shape(), stored);
  std::vector<std::vector<float>> groups(static_cast<size_t>(stored.scales.size()));
  const float* w = weights.data<float>();
  for (size_t i = 0; i < numbers.size(); ++i) groups[static_cast<size_t>(numbers[i])].push_back(w[i]);
  float* scale = stored.scales.mutable_data<float>();
  for (size_t g = 0; g < groups.size(); ++g) scale[g] = choose_scale(groups[g], type.bits);

  const Codes range = codes_of(type.bits);
  double signal = 0, noise = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const float step = scale[numbers[i]];
    const int32_t code = quantize_value(w[i], step, 0, range.low, range.high);
    stored.codes.mutable_data<int8_t>()[i] = static_cast<int8_t>(code);
    const double d = double{w[i]} - double{dequantize_value(code, step, 0)};
    signal += double{w[i]} * double{w[i]};
    noise += d * d;
  }
  stored.sqnr_db = 10 * std::log10(signal / noise);  // infinite where the codes are exact
  return stored;
}

void plan_shift(const ModeRequest& request, const Node& node, const WeightLayout& layout,
                StoredWeights& stored) {
  const bool corrects = request.scheme.bias_correction != BiasCorrection::kOff && request.ranges != nullptr;
  if (!corrects || find_op(request.graph, node).max_inputs < 3) return;
  const std::vector<int64_t> numbers = scale_numbers(stored.codes.shape(), stored);
  Tensor rounded(DataType::kF32, stored.codes.shape());
  for (size_t i = 0; i < numbers.size(); ++i)
    rounded.mutable_data<float>()[i] =
        dequantize_value(stored.codes.data<int8_t>()[i], stored.scales.data<float>()[numbers[i]], 0);
  stored.shift = shift_of_rounding(*request.graph.constant(node.inputs[stored.input]), rounded, layout,
                                   input_means(request.graph, node, layout, *request.ranges));
}

}  // namespace quantize
