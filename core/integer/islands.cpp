// Reading islands.
#include "core/integer/islands.h"

#include "core/quant_params.h"

namespace quantize {

namespace {

bool is_8_bit(DataType dtype) {
  return dtype == DataType::kU8 || dtype == DataType::kS8;
}

/// The value behind the chain of `anchor`.
ValueId end_of(const Graph& graph, const Chain& chain, ValueId anchor) {
  const auto links = chain.links();
  return links.empty() ? anchor : graph.nodes[static_cast<size_t>(links.back())].outputs[0];
}

}  // namespace

bool is_dequantize(const Node& node) {
  return node.op_type == "DequantizeLinear" && node.domain.empty();
}

bool Islands::is_kept(ValueId id) const {
  return index_.is_output(id) || (static_cast<size_t>(id) < keep_.size() && keep_[static_cast<size_t>(id)]);
}

/// Scale and zero point of a QuantizeLinear or DequantizeLinear.
std::optional<Codes> Islands::codes_of(const Node& node, ValueId codes) {
  const auto params = constant_params(graph_, node, 1);
  if (!params || node.input(2) == kNoValue || node.int_attribute("block_size", 0) != 0) return std::nullopt;
  const Codes result{codes, node.inputs[1], node.inputs[2], *params, node.int_attribute("axis", 1)};
  if (graph_.value(codes).dtype == DataType::kUndefined)
    graph_.value(codes).dtype = graph_.value(result.zero_point).dtype;
  return result;
}

std::optional<Codes> Islands::dequantized(ValueId id) {
  if (id == kNoValue || index_.producer(id) == kNoNode) return std::nullopt;
  const Node& node = graph_.nodes[static_cast<size_t>(index_.producer(id))];
  if (!is_dequantize(node)) return std::nullopt;
  return codes_of(node, node.inputs[0]);
}

std::optional<Codes> Islands::operand(ValueId id) {
  auto codes = dequantized(id);
  if (!codes || !codes->params.per_tensor() || !is_8_bit(graph_.value(codes->codes).dtype))
    return std::nullopt;
  return codes;
}

std::optional<Codes> Islands::weights(ValueId id, int64_t axis) {
  auto codes = dequantized(id);
  if (!codes || graph_.constant(codes->codes) == nullptr || !is_8_bit(graph_.value(codes->codes).dtype))
    return std::nullopt;
  // Kernels take weights that are centred on 0; others are faster in float.
  const int32_t middle = graph_.value(codes->codes).dtype == DataType::kU8 ? 128 : 0;
  for (int32_t zero_point : codes->params.zero_point)
    if (zero_point != middle) return std::nullopt;
  const auto rank = static_cast<int64_t>(graph_.constant(codes->codes)->shape().size());
  const int64_t own = codes->axis < 0 ? codes->axis + rank : codes->axis;
  return codes->params.per_tensor() || own == axis ? codes : std::nullopt;
}

bool Islands::fits_fused_conv(const Codes& codes, int64_t channels) const {
  const bool by_channel =
      (codes.axis == 1 || codes.axis == -3) && static_cast<int64_t>(codes.params.scale.size()) == channels;
  return graph_.value(codes.zero_point).dtype == DataType::kU8 && (codes.params.per_tensor() || by_channel);
}

std::optional<Codes> Islands::fused_operand(ValueId id, int64_t channels) {
  auto codes = dequantized(id);
  return codes && fits_fused_conv(*codes, channels) ? codes : std::nullopt;
}

/// The codes of the QuantizeLinear that alone reads a value.
std::optional<Codes> Islands::rounded(ValueId real, IslandResult& found) {
  const NodeId reader = is_kept(real) ? kNoNode : quantize_reading(graph_, index_, real);
  if (reader == kNoNode) return std::nullopt;
  found.absorbed.push_back(reader);
  const Node& node = graph_.nodes[static_cast<size_t>(reader)];
  return codes_of(node, node.outputs[0]);
}

std::optional<IslandResult> Islands::result(ValueId id) {
  const Chain chain = chain_behind(graph_, index_, id, {.clamp = true, .shield = false, .keep = &keep_});
  IslandResult found{.absorbed = chain.nodes()};
  const auto y = rounded(end_of(graph_, chain, id), found);
  if (!y || !y->params.per_tensor() || !is_8_bit(graph_.value(y->zero_point).dtype)) return std::nullopt;
  found.y = *y;
  if (chain.clamp != kNoNode)
    set_limits(found, *constant_clamp(graph_, graph_.nodes[static_cast<size_t>(chain.clamp)]));
  return found;
}

std::optional<IslandResult> Islands::fused_result(ValueId id, int64_t channels) {
  const Chain chain =
      chain_behind(graph_, index_, id, {.clamp = true, .function = true, .addition = true, .keep = &keep_});
  IslandResult found{.absorbed = chain.nodes(), .function = chain.function};
  if (chain.addition) {
    found.add = chain.addition->add;
    found.residual = fused_operand(chain.addition->other, 1);
    if (!found.residual || graph_.constant(found.residual->codes) != nullptr) return std::nullopt;
  }
  const auto y = rounded(end_of(graph_, chain, id), found);
  if (!y || !fits_fused_conv(*y, chain.addition ? 1 : channels)) return std::nullopt;
  found.y = *y;
  if (chain.clamp == kNoNode) return found;
  const auto clamp = constant_clamp(graph_, graph_.nodes[static_cast<size_t>(chain.clamp)]);
  if (cuts_codes(*clamp, y->params.scale, y->params.zero_point, {0, 255})) return std::nullopt;
  return found;
}

/// A clamp of reals before rounding is one of codes after it. It is left out where no code is cut off.
void Islands::set_limits(IslandResult& found, const Clamp& clamp) {
  const bool is_signed = graph_.value(found.y.zero_point).dtype == DataType::kS8;
  const CodeRange all = is_signed ? CodeRange{-128, 127} : CodeRange{0, 255};
  const CodeRange left = clamp_codes(clamp, found.y.params.scale[0], found.y.params.zero_point[0], all);
  found.low = left.low;
  found.high = left.high;
  if (left.low > all.low || left.high < all.high)
    found.unclamped =
        graph_.add_value(graph_.value(found.y.codes).name + "_unclamped",
                         graph_.value(found.y.zero_point).dtype, graph_.value(found.y.codes).shape);
}

}  // namespace quantize
