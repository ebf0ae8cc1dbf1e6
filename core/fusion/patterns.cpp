// Recognizing patterns of nodes.
#include "core/fusion/patterns.h"

#include <algorithm>
#include <limits>

#include "core/ops/op.h"
#include "core/ops/support/window.h"

namespace quantize {

bool broadcasts_as_scalar(const Graph& graph, const Tensor& constant, ValueId x) {
  const auto& shape = graph.value(x).shape;
  return constant.size() == 1 && constant.shape().size() <= (shape ? shape->size() : 0);
}

std::optional<Clamp> constant_clamp(const Graph& graph, const Node& node) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (!node.domain.empty()) return std::nullopt;
  if (node.op_type == "Relu") return Clamp{0, kInfinity};
  if ((node.op_type == "Max" || node.op_type == "Min") && node.inputs.size() == 2) {
    const Tensor* bound = graph.constant(node.inputs[1]);
    if (bound == nullptr || bound->dtype() != DataType::kF32 ||
        !broadcasts_as_scalar(graph, *bound, node.inputs[0]))
      return std::nullopt;
    const float value = bound->data<float>()[0];
    return node.op_type == "Max" ? Clamp{value, kInfinity} : Clamp{-kInfinity, value};
  }
  if (node.op_type != "Clip") return std::nullopt;
  Clamp clamp{node.float_attribute("min", -kInfinity), node.float_attribute("max", kInfinity)};
  for (size_t i = 1; i <= 2; ++i) {
    if (node.input(i) == kNoValue) continue;
    const Tensor* bound = graph.constant(node.input(i));
    if (bound == nullptr || bound->dtype() != DataType::kF32 || bound->size() != 1) return std::nullopt;
    (i == 1 ? clamp.low : clamp.high) = bound->data<float>()[0];
  }
  return clamp;
}

bool is_quantize(const Node& node) {
  return node.op_type == "QuantizeLinear" && node.domain.empty();
}

NodeId quantize_reading(const Graph& graph, const GraphIndex& index, ValueId real) {
  if (!index.single_use(real) || index.uses(real)[0].input != 0) return kNoNode;
  const NodeId reader = index.uses(real)[0].node;
  return is_quantize(graph.nodes[static_cast<size_t>(reader)]) ? reader : kNoNode;
}

const Tensor* constant_factor(const Graph& graph, const Node& node) {
  const bool scales = node.domain.empty() && (node.op_type == "Mul" || node.op_type == "Div");
  const Tensor* factor = scales ? graph.constant(node.inputs[1]) : nullptr;
  return factor != nullptr && factor->size() == 1 ? factor : nullptr;
}

bool is_shield(const Graph& graph, const GraphIndex& index, const Node& node) {
  if (node.op_type != "Max") return false;
  const auto clamp = constant_clamp(graph, node);
  if (!clamp || clamp->low != std::numeric_limits<float>::lowest()) return false;
  const auto& uses = index.uses(node.outputs[0]);
  return !uses.empty() && !index.is_output(node.outputs[0]) &&
         std::all_of(uses.begin(), uses.end(), [&](const GraphIndex::Use& use) {
           return is_quantize(graph.nodes[static_cast<size_t>(use.node)]) && use.input == 0;
         });
}

NodeId clamp_reading(const Graph& graph, const GraphIndex& index, ValueId value) {
  if (!index.single_use(value) || index.uses(value)[0].input != 0) return kNoNode;
  const NodeId reader = index.uses(value)[0].node;
  return constant_clamp(graph, graph.nodes[static_cast<size_t>(reader)]) ? reader : kNoNode;
}

std::optional<ImageAddition> addition_reading(const Graph& graph, const GraphIndex& index, ValueId value) {
  if (!index.single_use(value)) return std::nullopt;
  const GraphIndex::Use& use = index.uses(value)[0];
  const Node& add = graph.nodes[static_cast<size_t>(use.node)];
  const bool on_reals = add.op_type == "Add" && add.domain.empty();
  const bool on_codes = add.op_type == "QLinearAdd" && add.inputs.size() == 8;
  const size_t second = on_codes ? 3 : 1;  // place of the second operand
  if (!(on_reals || on_codes) || (use.input != 0 && use.input != second)) return std::nullopt;
  const ValueId other = add.inputs[second - use.input];
  const auto &shape = graph.value(value).shape, &other_shape = graph.value(other).shape;
  if (graph.value(other).is_constant() || !shape || shape->size() != 4 || shape != other_shape)
    return std::nullopt;
  return ImageAddition{use.node, other, use.input != 0};
}

NodeId table_reading(const Graph& graph, const GraphIndex& index, ValueId codes) {
  if (!index.single_use(codes) || index.uses(codes)[0].input != 0) return kNoNode;
  const NodeId reader = index.uses(codes)[0].node;
  const Node& node = graph.nodes[static_cast<size_t>(reader)];
  return node.op_type == "LookupTable" && node.domain == kEngineDomain ? reader : kNoNode;
}

CodeRange clamp_codes(const Clamp& clamp, float scale, int32_t zero_point, CodeRange codes) {
  return {quantize_value(clamp.low, scale, zero_point, codes.low, codes.high),
          quantize_value(clamp.high, scale, zero_point, codes.low, codes.high)};
}

bool cuts_codes(const Clamp& clamp, const std::vector<float>& scale, const std::vector<int32_t>& zero_point,
                CodeRange codes) {
  for (size_t c = 0; c < scale.size(); ++c) {
    const CodeRange left = clamp_codes(clamp, scale[c], zero_point[c], codes);
    if (left.low > codes.low || left.high < codes.high) return true;
  }
  return false;
}

bool cuts_codes(const Clamp& clamp, const QuantParams& params) {
  return cuts_codes(clamp, params.scale, params.zero_point, {params.quant_min, params.quant_max});
}

bool is_image_kernel(Dims weights) {
  return weights.size() == 4 && is_static(weights);
}

bool is_image_conv(const Graph& graph, const Node& node) {
  if (node.op_type != "Conv" || !node.domain.empty()) return false;
  const auto& weights = graph.value(node.inputs[1]).shape;
  return weights && is_image_kernel(*weights);
}

bool is_depthwise(const Node& conv, Dims weights) {
  return weights[1] == 1 && weights[0] == conv.int_attribute("group", 1);
}

bool is_depthwise_image_conv(const Graph& graph, const Node& node) {
  return is_image_conv(graph, node) && is_depthwise(node, *graph.value(node.inputs[1]).shape);
}

bool has_distinct_taps(const Graph& graph, const Node& node) {
  if (!is_image_conv(graph, node)) return false;
  const Window window =
      conv_window(node, Shape{1, 1, kUnknownDim, kUnknownDim}, *graph.value(node.inputs[1]).shape);
  const auto is_pointwise = [](const WindowAxis& axis) {
    return axis.kernel == 1 && axis.stride == 1 && axis.pad_begin == 0 && axis.pad_end == 0;
  };
  return !is_pointwise(window.height()) || !is_pointwise(window.width());
}

std::optional<size_t> constant_addend(const Graph& graph, const Node& node) {
  if (!node.domain.empty() || node.op_type != "Add" || node.inputs.size() != 2) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    const Tensor* addend = graph.constant(node.inputs[i]);
    if (addend != nullptr && addend->dtype() == DataType::kF32 &&
        graph.constant(node.inputs[1 - i]) == nullptr)
      return i;
  }
  return std::nullopt;
}

bool is_row(const Tensor& tensor, int64_t columns) {
  return tensor.size() == columns && !tensor.shape().empty() && tensor.shape().back() == columns;
}

std::optional<std::vector<float>> row_of(const Tensor& tensor, int64_t columns) {
  if (tensor.size() != 1 && !is_row(tensor, columns)) return std::nullopt;
  std::vector<float> row = tensor.to_vector<float>();
  if (row.size() == 1) row.resize(static_cast<size_t>(columns), row[0]);
  return row;
}

std::optional<ColumnAddend> column_addend(const Graph& graph, const Node& add, ValueId value,
                                          int64_t columns) {
  const auto place = constant_addend(graph, add);
  if (!place || add.inputs[1 - *place] != value) return std::nullopt;
  const Tensor& addend = *graph.constant(add.inputs[*place]);
  const auto& shape = graph.value(value).shape;
  if (addend.shape().size() > (shape ? shape->size() : 1)) return std::nullopt;
  auto row = row_of(addend, columns);
  if (!row) return std::nullopt;
  return ColumnAddend{*place, std::move(*row)};
}

std::vector<LearnedStatistics> first_batch_normalizations(const Graph& graph) {
  std::vector<LearnedStatistics> found;
  std::vector<bool> behind(graph.values.size());  // values that a BatchNormalization precedes
  for (const Node& node : graph.nodes) {
    const bool normalizes = node.domain.empty() && node.op_type == "BatchNormalization";
    bool is_behind = false;
    for (const ValueId id : node.inputs) is_behind |= id != kNoValue && behind[static_cast<size_t>(id)];
    const Tensor* mean = normalizes ? graph.constant(node.input(3)) : nullptr;
    const Tensor* variance = normalizes ? graph.constant(node.input(4)) : nullptr;
    const bool known = mean != nullptr && variance != nullptr && mean->dtype() == DataType::kF32 &&
                       variance->dtype() == DataType::kF32 && mean->size() == variance->size();
    if (known && !is_behind) {
      LearnedStatistics learned{node.inputs[0], mean->to_vector<float>(), variance->to_vector<float>()};
      for (float& each : learned.variance) each += node.float_attribute("epsilon", 1e-5f);
      found.push_back(std::move(learned));
    }
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) behind[static_cast<size_t>(id)] = is_behind || normalizes;
    }
  }
  return found;
}

}  // namespace quantize
