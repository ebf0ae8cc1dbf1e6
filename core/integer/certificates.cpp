// Read certificates_of(), at the end, first.
#include "core/integer/certificates.h"

#include <algorithm>
#include <cmath>

#include "core/integer/codes.h"
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

std::optional<Certificate> certificate_of(const Graph& graph, const Node& node,
                                          const std::optional<Layer>& found) {
  const OpDef* def = try_find_op(graph, node);
  if (!found || def == nullptr || def->weight_layout == nullptr) return std::nullopt;
  const auto& [codes, x_params, w_params, bias, bits] = *found;
  const auto layout = def->weight_layout(node, codes->shape());
  if (!layout) return std::nullopt;
  const std::vector<int32_t> numbers = codes_of(codes->view());
  const double x_scale = *std::max_element(x_params.scale.begin(), x_params.scale.end());
  Certificate worst{.node = node.name, .op_type = node.op_type, .activation_bits = bits};
  for (int64_t o = 0; o < layout->output_channels(); ++o) {
    const auto c = static_cast<size_t>(o);
    const ChannelWeights weights = weights_of(numbers, w_params.zero_point_of(c), *layout, o);
    const double shift = bias.empty() ? 0 : std::abs(bias[bias.size() == 1 ? 0 : c % bias.size()]);
    const double sum = most_code(bits) * weights.magnitude + shift;
    worst.worst_sum = std::max(worst.worst_sum, sum);
    worst.worst_pair = std::max(worst.worst_pair, most_code(bits) * weights.pair());
    worst.worst_real = std::max(worst.worst_real, sum * x_scale * double{w_params.scale_of(c)});
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
  Graph lowered = lower_to_qoperator(std::move(standard));
  const GraphIndex index(lowered);
  const std::vector<bool> keep;
  Islands islands(lowered, index, keep);
  std::vector<Certificate> certificates;
  for (const Node& node : lowered.nodes) {
    std::optional<Layer> layer = integer_layer(lowered, node);
    if (!layer) layer = layer_of_16_bits(lowered, islands, node);
    if (auto certificate = certificate_of(lowered, node, layer))
      certificates.push_back(std::move(*certificate));
  }
  return certificates;
}

}  // namespace quantize
