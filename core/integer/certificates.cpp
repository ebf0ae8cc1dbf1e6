// Read certificates_of(), at the end, first.
#include "core/integer/certificates.h"

#include <algorithm>
#include <cmath>

#include "core/integer/codes.h"
#include "core/integer/forms.h"
#include "core/integer/islands.h"
#include "core/integer/lowering.h"
#include "core/integer/quantized_operand.h"
#include "core/ops/op.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

/// The largest distance of an activation's code from its zero point.
double most_code(int bits) {
  return std::exp2(bits) - 1;
}

/// A layer's weights of one output channel, as the sums meet them.
struct ChannelWeights {
  double magnitude = 0;                       // added up without signs
  double positive[2] = {}, negative[2] = {};  // the two largest of each sign, by magnitude

  void add(double weight) {
    magnitude += std::abs(weight);
    double(&largest)[2] = weight < 0 ? negative : positive;
    const double size = std::abs(weight);
    if (size > largest[0]) {
      largest[1] = largest[0];
      largest[0] = size;
    } else {
      largest[1] = std::max(largest[1], size);
    }
  }

  double pair() const { return std::max(positive[0] + positive[1], negative[0] + negative[1]); }
};

ChannelWeights weights_of(const std::vector<int32_t>& codes, int32_t zero_point, const WeightLayout& layout,
                          int64_t channel) {
  ChannelWeights weights;
  for (int64_t i = 0; i < layout.inputs; ++i)
    for (int64_t t = 0; t < layout.taps; ++t)
      weights.add(codes[static_cast<size_t>(layout.offset(channel, i) + t)] - zero_point);
  return weights;
}

/// The bias of an integer operator: its only constant of s32.
std::vector<double> bias_of(const Graph& graph, const Node& node) {
  for (const ValueId id : node.inputs)
    if (const Tensor* constant = graph.constant(id); constant && constant->dtype() == DataType::kS32)
      return constant->to_vector<double>();
  return {};
}

/// A layer of codes, whichever operators say it.
struct Layer {
  const Tensor* weights = nullptr;  // of 8 bits
  OperandParams x, w;
  std::vector<double> bias;
  int bits = 8;
  bool has_scales = true;  // false: they are no part of the operator
};

std::optional<Layer> integer_layer(const Graph& graph, const Node& node) {
  const CodeSlots slots = slots_of(node);
  if (slots.operands.size() < 2) return std::nullopt;
  const CodeOperand &x = slots.operands[0], &w = slots.operands[1];
  const Tensor* codes = graph.constant(node.input(w.codes));
  const auto x_params = constant_params(graph, node, x.scale, x.zero_point),
             w_params = constant_params(graph, node, w.scale, w.zero_point);
  if (codes == nullptr || size_of(codes->dtype()) != 1 || !x_params || !w_params) return std::nullopt;
  return Layer{codes, *x_params, *w_params, bias_of(graph, node)};
}

/// A product of codes alone, and the constant of s32 that is added to its sums.
std::optional<Layer> product_of_codes(const Graph& graph, const GraphIndex& index, const Node& node) {
  enum : size_t { kW = 1, kWZero = 3 };
  if (!is_integer_operator(node) || !slots_of(node).operands.empty()) return std::nullopt;
  const Tensor *codes = graph.constant(node.input(kW)), *zero = graph.constant(node.input(kWZero));
  if (codes == nullptr || size_of(codes->dtype()) != 1 || (node.input(kWZero) != kNoValue && zero == nullptr))
    return std::nullopt;
  Layer layer{.weights = codes, .x = {}, .w = {{1}, {0}}, .bias = {}, .has_scales = false};
  if (zero != nullptr) layer.w.zero_point = zero->to_vector<int32_t>();
  if (!layer.w.match_numbers()) return std::nullopt;
  if (const auto& uses = index.uses(node.outputs[0]); uses.size() == 1) {
    const Node& reader = graph.nodes[static_cast<size_t>(uses[0].node)];
    if (const OpDef* def = try_find_op(graph, reader); def != nullptr && def->sums)
      layer.bias = bias_of(graph, reader);
  }
  return layer;
}

/// A float layer between codes of 16 bits, whose bias is of codes, too.
std::optional<Layer> layer_of_16_bits(Graph& graph, Islands& islands, const Node& node) {
  const auto x = islands.dequantized(node.input(0)), w = islands.dequantized(node.input(1));
  if (!x || !w) return std::nullopt;
  const DataType type = graph.value(x->codes).dtype;
  const Tensor* codes = graph.constant(w->codes);
  if ((type != DataType::kU16 && type != DataType::kS16) || codes == nullptr || size_of(codes->dtype()) != 1)
    return std::nullopt;
  Layer layer{codes, x->params, w->params, {}, 16};
  const auto bias = islands.dequantized(node.input(2));
  if (const Tensor* numbers = bias ? graph.constant(bias->codes) : nullptr)
    layer.bias = numbers->to_vector<double>();
  return layer;
}

bool knows_all(const Graph& graph) {
  return std::all_of(graph.nodes.begin(), graph.nodes.end(),
                     [&](const Node& node) { return try_find_op(graph, node) != nullptr; });
}

std::optional<Certificate> certificate_of(const Graph& graph, const Node& node,
                                          const std::optional<Layer>& found) {
  const OpDef* def = try_find_op(graph, node);
  if (!found || def == nullptr || def->weight_layout == nullptr) return std::nullopt;
  const auto& [codes, x_params, w_params, bias, bits, has_scales] = *found;
  const auto layout = def->weight_layout(node, codes->shape());
  if (!layout) return std::nullopt;
  const std::vector<int32_t> numbers = codes_of(codes->view());
  Certificate worst{.node = node.name, .op_type = node.op_type, .activation_bits = bits};
  for (int64_t o = 0; o < layout->output_channels(); ++o) {
    const auto c = static_cast<size_t>(o);
    const ChannelWeights weights = weights_of(numbers, w_params.zero_point_of(c), *layout, o);
    const double shift = bias.empty() ? 0 : std::abs(bias[bias.size() == 1 ? 0 : c % bias.size()]);
    const double sum = most_code(bits) * weights.magnitude + shift;
    worst.worst_sum = std::max(worst.worst_sum, sum);
    worst.worst_pair = std::max(worst.worst_pair, most_code(bits) * weights.pair());
    if (!has_scales) continue;
    const double x_scale = *std::max_element(x_params.scale.begin(), x_params.scale.end());
    worst.worst_real = std::max(worst.worst_real.value_or(0), sum * x_scale * double{w_params.scale_of(c)});
  }
  return worst;
}

}  // namespace

int Certificate::accumulator_bits() const {
  return static_cast<int>(std::ceil(std::log2(worst_sum + 1))) + 1;
}

std::vector<Certificate> certificates_of(const Graph& graph) {
  Graph standard = graph;
  standardize_quantizers(standard);
  if (knows_all(standard)) infer_and_fold(standard, ConstantCodes::kKeep);
  Graph lowered = lower_to_qoperator(std::move(standard));
  const GraphIndex index(lowered);
  const std::vector<bool> keep;
  Islands islands(lowered, index, keep);
  std::vector<Certificate> certificates;
  for (const Node& node : lowered.nodes) {
    std::optional<Layer> layer = integer_layer(lowered, node);
    if (!layer) layer = product_of_codes(lowered, index, node);
    if (!layer) layer = layer_of_16_bits(lowered, islands, node);
    if (auto certificate = certificate_of(lowered, node, layer))
      certificates.push_back(std::move(*certificate));
  }
  return certificates;
}

}  // namespace quantize
