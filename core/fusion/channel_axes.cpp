// Following axes through a graph. Read channel_axes(), at the end, first.
#include "core/fusion/channel_axes.h"

#include <algorithm>
#include <numeric>

#include "core/ops/op.h"

namespace quantize {

namespace {

using Axis = std::optional<size_t>;

/// perm of a node that permutes axes; empty for any other.
std::vector<int64_t> permutation(const Node& node, size_t rank) {
  if (!node.domain.empty() || node.op_type != "Transpose") return {};
  std::vector<int64_t> reversed(rank);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  const auto perm = node.ints_attribute("perm", reversed);
  return perm.size() == rank ? perm : std::vector<int64_t>{};
}

/// Product of the extents behind an axis; nothing if one of them is unknown.
std::optional<int64_t> extents_behind(const Shape& shape, size_t axis) {
  int64_t product = 1;
  for (size_t i = axis + 1; i < shape.size(); ++i) {
    if (shape[i] == kUnknownDim) return std::nullopt;
    product *= shape[i];
  }
  return product;
}

/// The axis of a reshaped tensor that walks the elements as `axis` did.
Axis reshaped(const Shape& from, size_t axis, const Shape& to) {
  const auto inner = extents_behind(from, axis);
  for (size_t i = to.size(); inner && i-- > 0;)
    if (to[i] == from[axis] && to[i] != kUnknownDim && extents_behind(to, i) == inner) return i;
  return std::nullopt;
}

/// Where an axis of one operand is found in another one of an operator that keeps channels apart.
Axis carried(const OpDef& def, const Shape& from, size_t axis, const Shape& to) {
  if (def.keeps_order) return from == to ? Axis(axis) : reshaped(from, axis, to);
  if (from.size() == to.size()) return def.moves_data || from[axis] == to[axis] ? Axis(axis) : std::nullopt;
  const size_t moved = axis + to.size() - from.size();  // broadcasting lines shapes up at the end
  return def.elementwise && moved < to.size() && from[axis] == to[moved] ? Axis(moved) : std::nullopt;
}

class AxisFinder {
 public:
  AxisFinder(const Graph& graph, const GraphIndex& index)
      : graph_(graph), index_(index), axes_(graph.values.size()) {}

  ChannelAxes run() {
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node)
      for (ValueId id : node->outputs) want(id);
    for (ValueId id : graph_.inputs) want(id);
    for (const Node& node : graph_.nodes)
      for (ValueId id : node.outputs) inherit(node, id);
    return std::move(axes_);
  }

 private:
  Axis& axis(ValueId id) { return axes_[static_cast<size_t>(id)]; }
  const std::optional<Shape>& shape(ValueId id) const { return graph_.value(id).shape; }

  std::optional<WeightLayout> layout_of(const Node& node) const {
    const OpDef& def = find_op(graph_, node);
    const Tensor* weights =
        def.weight_layout == nullptr ? nullptr : graph_.constant(node.input(def.weight_input));
    return weights == nullptr ? std::nullopt : def.weight_layout(node, weights->shape());
  }

  /// The axis that a node wants of the input that it reads.
  Axis wanted(const GraphIndex::Use& use, const Shape& x) {
    const Node& node = graph_.nodes[static_cast<size_t>(use.node)];
    const OpDef& def = find_op(graph_, node);
    if (def.weight_layout != nullptr || node.output(0) == kNoValue) return std::nullopt;
    const ValueId output = node.outputs[0];
    if (!axis(output) || !shape(output)) return std::nullopt;
    const auto perm = permutation(node, x.size());
    if (!perm.empty()) return static_cast<size_t>(perm[*axis(output)]);
    return carried(def, *shape(output), *axis(output), x);
  }

  /// Takes the axis that the value's readers want: layers first.
  void want(ValueId id) {
    if (id == kNoValue || !shape(id) || shape(id)->size() < 2) return;
    const Shape& x = *shape(id);
    for (const GraphIndex::Use& use : index_.uses(id)) {
      const auto layout = layout_of(graph_.nodes[static_cast<size_t>(use.node)]);
      if (!layout || use.input != 0) continue;
      axis(id) = static_cast<size_t>(layout->input_axis_of(x.size()));
      return;
    }
    for (const GraphIndex::Use& use : index_.uses(id))
      if (!axis(id)) axis(id) = wanted(use, x);
  }

  /// Takes the axis that the node writes along, if no reader wants another one.
  void inherit(const Node& node, ValueId id) {
    if (id == kNoValue || axis(id) || !shape(id) || shape(id)->size() < 2) return;
    const Shape& y = *shape(id);
    if (const auto layout = layout_of(node)) {
      axis(id) = static_cast<size_t>(layout->input_axis_of(y.size()));
      return;
    }
    const OpDef& def = find_op(graph_, node);
    for (ValueId input : node.inputs) {
      if (axis(id) || input == kNoValue || !axis(input) || def.weight_layout != nullptr) continue;
      const auto perm = permutation(node, y.size());
      const auto place = std::find(perm.begin(), perm.end(), static_cast<int64_t>(*axis(input)));
      axis(id) = place != perm.end() ? Axis(static_cast<size_t>(place - perm.begin()))
                                     : carried(def, *shape(input), *axis(input), y);
    }
  }

  const Graph& graph_;
  const GraphIndex& index_;
  ChannelAxes axes_;
};

}  // namespace

std::optional<size_t> default_channel_axis(size_t rank) {
  if (rank < 2) return std::nullopt;
  return rank < 4 ? rank - 1 : 1;
}

ChannelAxes channel_axes(const Graph& graph, const GraphIndex& index) {
  return AxisFinder(graph, index).run();
}

}  // namespace quantize
