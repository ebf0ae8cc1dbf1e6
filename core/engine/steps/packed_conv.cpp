// Decoding the constants of integer convolutions.
#include "core/engine/steps/packed_conv.h"

#include <algorithm>

#include "core/integer/exact_sums.h"
#include "core/integer/quantized_operand.h"

namespace quantize {

namespace {

/// Codes as s8, those of u8 less 128.
std::vector<int8_t> signed_codes(const Tensor& w) {
  const auto* codes = static_cast<const uint8_t*>(w.bytes());
  std::vector<int8_t> result(static_cast<size_t>(w.size()));
  const uint8_t shift = w.dtype() == DataType::kU8 ? 0x80 : 0;  // a flipped sign is 128 less
  for (size_t i = 0; i < result.size(); ++i) result[i] = static_cast<int8_t>(codes[i] ^ shift);
  return result;
}

/// The weights as s8, output channels first.
std::vector<int8_t> weights_of(const Tensor& w, const ConvOperands& operands) {
  std::vector<int8_t> codes = signed_codes(w);
  if (!operands.channels_last) return codes;
  const size_t inner = codes.size() / operands.channels;
  std::vector<int8_t> result(codes.size());
  for (size_t c = 0; c < operands.channels; ++c)
    for (size_t i = 0; i < inner; ++i) result[c * inner + i] = codes[i * operands.channels + c];
  return result;
}

/// bias - x_zero_point * (sum of the channel's weights), which wraps.
int32_t folded_bias(const int8_t* weights, size_t count, int32_t bias, int32_t x_zero_point) {
  uint32_t sum = 0;
  for (size_t i = 0; i < count; ++i) sum += static_cast<uint32_t>(weights[i]);
  return static_cast<int32_t>(static_cast<uint32_t>(bias) - static_cast<uint32_t>(x_zero_point) * sum);
}

bool is_bias(const Tensor* bias, size_t channels) {
  return bias != nullptr && bias->dtype() == DataType::kS32 && static_cast<size_t>(bias->size()) == channels;
}

/// True if no sum of the kernels leaves s32.
bool sums_fit(const Graph& graph, const Node& node, const ConvOperands& operands, int32_t w_zero_point) {
  const Tensor& w = *graph.constant(node.input(operands.w));
  const Tensor* bias = graph.constant(node.input(operands.bias));
  const auto layout = find_op(graph, node).weight_layout(node, w.shape());
  return layout && bound_of_sums(w, {w_zero_point}, *layout,
                                 bias == nullptr ? std::vector<double>{} : bias->to_vector<double>())
                       .fits();
}

}  // namespace

bool has_conv_constants(const Graph& graph, const Node& node, const ConvOperands& operands) {
  const Tensor* w = graph.constant(node.input(operands.w));
  if (w == nullptr || operands.channels == 0 || (w->dtype() != DataType::kU8 && w->dtype() != DataType::kS8))
    return false;
  const auto w_params = constant_params(graph, node, operands.w_scale, operands.w_zero_point);
  if (!w_params || (!w_params->per_tensor() && w_params->scale.size() != operands.channels)) return false;
  const int32_t middle = w->dtype() == DataType::kU8 ? 128 : 0;
  for (int32_t zero_point : w_params->zero_point)
    if (zero_point != middle) return false;
  const ValueId bias = node.input(operands.bias);
  const auto is_known = [&](const std::optional<OperandParams>& params) {
    return params &&
           (params->per_tensor() || (operands.by_channel && params->scale.size() == operands.channels));
  };
  return is_known(constant_params(graph, node, operands.x_scale, operands.x_zero_point)) &&
         (node.input(operands.y_scale) == kNoValue ||
          is_known(constant_params(graph, node, operands.y_scale))) &&
         (bias == kNoValue || is_bias(graph.constant(bias), operands.channels)) &&
         sums_fit(graph, node, operands, middle);
}

std::optional<ConvConstants> conv_constants(const CompileContext& context, const ConvOperands& operands) {
  const Graph& graph = context.graph;
  const Node& node = context.node;
  if (!has_conv_constants(graph, node, operands)) return std::nullopt;
  ConvConstants result;
  result.weights = weights_of(*context.constant(operands.w), operands);
  const bool is_real = operands.is_real || node.input(operands.y_scale) == kNoValue;
  const OperandParams x = *constant_params(graph, node, operands.x_scale, operands.x_zero_point),
                      w = *constant_params(graph, node, operands.w_scale, operands.w_zero_point);
  const OperandParams y = is_real ? OperandParams{{1}, {0}} : *constant_params(graph, node, operands.y_scale);
  const Tensor* bias = context.constant(operands.bias);
  const size_t inner = result.weights.size() / operands.channels;
  for (size_t c = 0; c < operands.channels; ++c) {
    const int32_t given = bias == nullptr ? 0 : bias->data<int32_t>()[c];
    result.bias.push_back(folded_bias(result.weights.data() + c * inner, inner, given, x.zero_point_of(c)));
    const float step = x.scale_of(c) * w.scale_of(c);
    result.multiplier.push_back(is_real ? step : step / y.scale_of(c));
    result.zero_point.push_back(y.zero_point_of(c));
  }
  result.low.assign(operands.channels, 0);
  result.high.assign(operands.channels, 255);
  return result;
}

PackedConv::PackedConv(const KernelTable& kernels, const ConvConstants& constants, const ConvPart& part) {
  const ConvWeightsU8S8 source{part.count, part.taps, part.depth, part.weights,
                               constants.requantize(part.first)};
  packed = Tensor(DataType::kU8, {static_cast<int64_t>(kernels.conv_u8s8_bytes(source))});
  kernels.conv_u8s8_pack(source, packed.mutable_bytes());
}

}  // namespace quantize
