// Moves a Pad into the `pads` of the convolution or pooling behind it, which then reads the unpadded input.
#include <algorithm>
#include <limits>

#include "core/passes/passes.h"

namespace quantize {

namespace {

/// How a Pad extends the spatial axes: one value, so many elements before and after each of them.
struct Padding {
  double value = 0;
  std::vector<int64_t> before, after;
};

/// The padding of a Pad node whose operands are constant; nothing if it pads batch or channels, crops, or
/// does not fill with one constant.
std::optional<Padding> constant_padding(const Graph& graph, const Node& node) {
  const auto& shape = graph.value(node.inputs[0]).shape;
  const Tensor *pads = graph.constant(node.input(1)), *value = graph.constant(node.input(2)),
               *axes = graph.constant(node.input(3));
  const bool plain = node.string_attribute("mode", "constant") == "constant" && pads != nullptr && shape &&
                     shape->size() > 2 && (value || node.input(2) == kNoValue) &&
                     (axes || node.input(3) == kNoValue);
  if (!plain) return std::nullopt;
  const size_t rank = shape->size();
  std::vector<int64_t> before(rank, 0), after(rank, 0), places(rank);
  for (size_t i = 0; i < rank; ++i) places[i] = static_cast<int64_t>(i);
  if (axes) places = axes->to_vector<int64_t>();
  const auto amounts = pads->to_vector<int64_t>();
  if (amounts.size() != 2 * places.size()) return std::nullopt;
  for (size_t i = 0; i < places.size(); ++i) {
    const auto axis = static_cast<size_t>(normalize_axis(places[i], rank));
    before[axis] = amounts[i];
    after[axis] = amounts[i + places.size()];
  }
  const auto negative = [](int64_t amount) { return amount < 0; };
  if (before[0] != 0 || before[1] != 0 || after[0] != 0 || after[1] != 0 ||
      std::any_of(before.begin(), before.end(), negative) ||
      std::any_of(after.begin(), after.end(), negative))
    return std::nullopt;
  Padding padding;
  if (value && value->size() == 1) padding.value = value->to_vector<double>()[0];
  padding.before.assign(before.begin() + 2, before.end());
  padding.after.assign(after.begin() + 2, after.end());
  return padding;
}

/// The node's own pads, begins before ends; nothing if they follow from auto_pad or have the wrong number.
std::optional<std::vector<int64_t>> explicit_pads(const Node& node, size_t spatial) {
  const std::string mode = node.string_attribute("auto_pad", "NOTSET");
  const std::vector<int64_t> none(2 * spatial, 0);
  if (mode == "VALID") return none;
  auto pads = node.ints_attribute("pads", none);
  if (mode != "NOTSET" || pads.size() != none.size()) return std::nullopt;
  return pads;
}

/// A pooling window may not lie in the padding alone, and rounding its count up depends on what is padding.
bool pooling_allows(const Node& node, const std::vector<int64_t>& pads) {
  const auto kernel = node.ints_attribute("kernel_shape", {});
  if (node.int_attribute("ceil_mode", 0) != 0 || 2 * kernel.size() != pads.size()) return false;
  for (size_t i = 0; i < pads.size(); ++i)
    if (pads[i] >= kernel[i % kernel.size()]) return false;
  return true;
}

/// True if padding the node's input with `value` is what its own pads do.
bool pads_with(const Node& node, double value, const std::vector<int64_t>& own_pads) {
  if (node.op_type == "Conv") return value == 0;
  if (node.op_type == "MaxPool") return value <= -static_cast<double>(std::numeric_limits<float>::max());
  const bool pads_nothing =
      std::all_of(own_pads.begin(), own_pads.end(), [](int64_t pad) { return pad == 0; });
  return node.op_type == "AveragePool" && value == 0 &&
         (pads_nothing || node.int_attribute("count_include_pad", 0) != 0);
}

void fold_pad(const Graph& graph, const Node& pad, Node& node) {
  const auto padding = constant_padding(graph, pad);
  if (!padding) return;
  const size_t spatial = padding->before.size();
  auto pads = explicit_pads(node, spatial);
  if (!pads || !pads_with(node, padding->value, *pads)) return;
  for (size_t i = 0; i < spatial; ++i) {
    (*pads)[i] += padding->before[i];
    (*pads)[i + spatial] += padding->after[i];
  }
  if (node.op_type != "Conv" && !pooling_allows(node, *pads)) return;
  if (node.op_type == "AveragePool") node.attributes["count_include_pad"] = int64_t{1};
  node.attributes.erase("auto_pad");
  node.attributes["pads"] = std::move(*pads);
  node.inputs[0] = pad.inputs[0];
}

}  // namespace

void fold_pads(Graph& graph) {
  const GraphIndex index(graph);
  for (Node& node : graph.nodes) {
    const bool candidate = node.domain.empty() && (node.op_type == "Conv" || node.op_type == "MaxPool" ||
                                                   node.op_type == "AveragePool");
    if (!candidate || node.input(0) == kNoValue || index.producer(node.inputs[0]) == kNoNode) continue;
    const Node& producer = graph.nodes[static_cast<size_t>(index.producer(node.inputs[0]))];
    if (producer.domain.empty() && producer.op_type == "Pad") fold_pad(graph, producer, node);
  }
  remove_dead_nodes(graph);
}

}  // namespace quantize
