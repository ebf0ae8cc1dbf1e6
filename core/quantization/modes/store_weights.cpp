// Read store_weights() first: blocks of any kind are runs of one channel.
#include "core/quantization/modes/store_weights.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string_view>

#include "core/ops/op.h"
#include "core/quant_params.h"
#include "core/quantization/bias_correction.h"
#include "core/quantization/modes/codebook.h"
#include "core/quantization/modes/weight_grids.h"

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

/// For each element of a tensor, in order: its place along an axis, over `each`.
std::vector<int64_t> places_along(const Shape& shape, int64_t axis, int64_t each) {
  const auto extent = shape[static_cast<size_t>(axis)];
  int64_t inner = 1;
  for (size_t d = static_cast<size_t>(axis) + 1; d < shape.size(); ++d) inner *= shape[d];
  std::vector<int64_t> places(static_cast<size_t>(element_count(shape)));
  for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<int64_t>(i) / inner % extent / each;
  return places;
}

/// The number of its scale.
std::vector<int64_t> scale_numbers(const StoredWeights& stored) {
  const Shape &shape = stored.codes.shape(), &scales = stored.scales.shape();
  if (stored.scales.size() <= 1) return std::vector<int64_t>(static_cast<size_t>(stored.codes.size()));
  if (stored.block == 0) return places_along(shape, stored.axis, 1);
  std::vector<int64_t> numbers(static_cast<size_t>(stored.codes.size()));
  for (size_t d = 0; d < shape.size(); ++d) {
    const auto axis = static_cast<int64_t>(d);
    const std::vector<int64_t> places = places_along(shape, axis, axis == stored.axis ? stored.block : 1);
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = numbers[i] * scales[d] + places[i];
  }
  return numbers;
}

/// The numbers of each group, in order.
std::vector<std::vector<float>> grouped(const std::vector<float>& values,
                                        const std::vector<int64_t>& groups) {
  std::vector<std::vector<float>> result;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto group = static_cast<size_t>(groups[i]);
    if (group >= result.size()) result.resize(group + 1);
    result[group].push_back(values[i]);
  }
  return result;
}

/// One scale of each group; 1 of a group of zeros.
Tensor root_mean_squares(const std::vector<std::vector<float>>& groups) {
  Tensor scales(DataType::kF32, {static_cast<int64_t>(groups.size())});
  for (size_t g = 0; g < groups.size(); ++g) {
    double energy = 0;
    for (const float w : groups[g]) energy += double{w} * double{w};
    const auto scale = static_cast<float>(std::sqrt(energy / static_cast<double>(groups[g].size())));
    scales.mutable_data<float>()[g] = scale >= std::numeric_limits<float>::min() ? scale : 1;
  }
  return scales;
}

/// Levels that are fitted to the weights of each group of channels, and the codes that count them.
void fit_codebooks(const Tensor& weights, const StorageType& type, StoredWeights& stored) {
  std::vector<float> values = weights.to_vector<float>();
  if (type.channel_scales) {
    const std::vector<int64_t> channels = places_along(weights.shape(), stored.axis, 1);
    stored.scales = root_mean_squares(grouped(values, channels));
    for (size_t i = 0; i < values.size(); ++i) values[i] /= stored.scales.data<float>()[channels[i]];
  }
  stored.group = type.group != 0 ? type.group : weights.shape()[static_cast<size_t>(stored.axis)];
  const std::vector<int64_t> groups = places_along(weights.shape(), stored.axis, stored.group);
  std::vector<std::vector<float>> books;
  size_t count = 1;
  for (std::vector<float>& group : grouped(values, groups)) {
    books.push_back(fit_levels(std::move(group), size_t{1} << type.bits));
    count = std::max(count, books.back().size());
  }
  stored.width =
      std::max(int64_t{1}, static_cast<int64_t>(std::bit_width(count - 1)));  // fewer levels need fewer bits
  stored.levels = Tensor(DataType::kF32, {static_cast<int64_t>(books.size()), static_cast<int64_t>(count)});
  for (size_t b = 0; b < books.size(); ++b)
    for (size_t k = 0; k < count; ++k)  // a group with fewer repeats its last
      stored.levels.mutable_data<float>()[b * count + k] = books[b][std::min(k, books[b].size() - 1)];
  stored.codes = Tensor(DataType::kU8, weights.shape());
  for (size_t i = 0; i < values.size(); ++i)
    stored.codes.mutable_data<uint8_t>()[i] =
        static_cast<uint8_t>(nearest_level(books[static_cast<size_t>(groups[i])], values[i]));
}

/// The shape of the scales, with their axis and block.
Shape scale_shape(const Tensor& weights, const WeightOperand& operand, const StorageType& type,
                  StoredWeights& stored) {
  Shape scales = weights.shape();
  const bool blocks = type.block != 0 && scales[static_cast<size_t>(operand.block_axis)] > type.block;
  stored.block = blocks ? type.block : 0;
  stored.axis = blocks ? operand.block_axis : operand.channel_axis;
  if (type.scale) return {};
  int64_t& extent = scales[static_cast<size_t>(stored.axis)];
  if (!blocks) return {extent};
  extent = (extent + type.block - 1) / type.block;
  return scales;
}

/// Scales of a grid, and the codes of the nearest reals.
void round_to_grid(const Tensor& weights, const StorageType& type, StoredWeights& stored) {
  const WeightGridForm& form = form_of(type.grid);
  const CodeLevels levels = form.levels(type.bits);
  const bool counts = !levels.levels.empty();
  stored.codes = Tensor(counts ? DataType::kU8 : DataType::kS8, weights.shape());
  const std::vector<float> values = weights.to_vector<float>();
  const std::vector<int64_t> numbers = scale_numbers(stored);
  const auto groups = grouped(values, numbers);
  float* scale = stored.scales.mutable_data<float>();
  for (size_t g = 0; g < groups.size(); ++g)
    scale[g] = type.scale ? *type.scale : form.scale(groups[g], levels);
  auto* codes = static_cast<uint8_t*>(stored.codes.mutable_bytes());  // s8 has the same bits
  for (size_t i = 0; i < values.size(); ++i)
    codes[i] = static_cast<uint8_t>(levels.code_of(values[i], scale[numbers[i]]));
  if (!counts) return;
  stored.levels = Tensor::of<float>({1, static_cast<int64_t>(levels.levels.size())}, levels.levels);
  stored.group = weights.shape()[static_cast<size_t>(stored.axis)];
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
  stored.grid = type.grid;
  stored.dtype = type.codes.type;
  stored.opset = type.codes.opset;
  stored.width = type.packed ? type.bits : 0;
  const Shape scales = scale_shape(weights, operand, type, stored);
  if (type.grid == WeightGrid::kCodebook) {
    fit_codebooks(weights, type, stored);
  } else {
    stored.codes = Tensor(DataType::kS8, weights.shape());
    stored.scales = Tensor(DataType::kF32, scales);
    round_to_grid(weights, type, stored);
  }
  const Tensor reals = restored(stored);
  double signal = 0, noise = 0;
  for (int64_t i = 0; i < weights.size(); ++i) {
    const double w = weights.data<float>()[i], d = w - double{reals.data<float>()[i]};
    signal += w * w;
    noise += d * d;
  }
  stored.sqnr_db = 10 * std::log10(signal / noise);  // infinite where the codes are exact
  return stored;
}

Tensor restored(const StoredWeights& stored) {
  Tensor reals(DataType::kF32, stored.codes.shape());
  const std::vector<int64_t> numbers = scale_numbers(stored);
  const float* scales = stored.scales ? stored.scales.data<float>() : nullptr;
  const auto scale_of = [&](size_t i) { return scales == nullptr ? 1.0f : scales[numbers[i]]; };
  auto* to = reals.mutable_data<float>();
  if (!stored.levels) {
    const auto* codes = stored.codes.data<int8_t>();
    for (size_t i = 0; i < numbers.size(); ++i) to[i] = dequantize_value(codes[i], scale_of(i), 0);
    return reals;
  }
  const std::vector<int64_t> groups = places_along(stored.codes.shape(), stored.axis, stored.group);
  const auto* codes = stored.codes.data<uint8_t>();
  for (size_t i = 0; i < numbers.size(); ++i)
    to[i] = stored.levels.data<float>()[groups[i] * stored.levels.shape()[1] + codes[i]] * scale_of(i);
  return reals;
}

void plan_shift(const ModeRequest& request, const Node& node, const WeightLayout& layout,
                StoredWeights& stored) {
  const bool corrects = request.scheme.bias_correction != BiasCorrection::kOff && request.ranges != nullptr;
  if (!corrects || find_op(request.graph, node).max_inputs < 3) return;
  stored.shift = shift_of_rounding(*request.graph.constant(node.inputs[stored.input]), restored(stored),
                                   layout, input_means(request.graph, node, layout, *request.ranges));
}

}  // namespace quantize
