// Element-wise operators behind a convolution move into it. Read fuse_conv_epilogues() first.
#include <algorithm>

#include "core/engine/fuse/fuse_integer.h"
#include "core/engine/steps/pixel_conv.h"
#include "core/integer/fused_conv.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

class ConvFuser {
 public:
  ConvFuser(Graph& graph, const std::vector<bool>& keep) : graph_(graph), keep_(keep), index_(graph) {}

  void fuse() {
    std::vector<bool> dropped(graph_.nodes.size(), false);
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      Node& node = graph_.nodes[n];
      const NodeId conv = takes_addition(node) ? absorb_addition(node) : absorb_table(node);
      if (conv != kNoNode) dropped[static_cast<size_t>(conv)] = true;
    }
    drop_nodes(graph_, dropped);
  }

 private:
  /// True for a QLinearAdd of two computed u8 images of one shape.
  bool takes_addition(const Node& node) const {
    if (node.op_type != "QLinearAdd" || node.inputs.size() != 8) return false;
    const Value& sum = graph_.value(node.outputs[0]);
    if (sum.dtype != DataType::kU8) return false;
    for (size_t operand : {0, 3}) {
      const Value& value = graph_.value(node.inputs[operand]);
      if (value.is_constant() || value.dtype != DataType::kU8 || value.shape != sum.shape) return false;
    }
    return node.inputs[0] != node.inputs[3];
  }

  /// The convolution behind a value that nothing else reads and whose epilogue is free; kNoNode: none.
  NodeId open_conv(ValueId id, bool for_addition) const {
    if (id == kNoValue || !index_.single_use(id)) return kNoNode;
    if (static_cast<size_t>(id) < keep_.size() && keep_[static_cast<size_t>(id)]) return kNoNode;
    const NodeId producer = index_.producer(id);
    if (producer == kNoNode) return kNoNode;
    const Node& conv = graph_.nodes[static_cast<size_t>(producer)];
    if (function_of(conv)) return kNoNode;
    if (is_fused_conv(conv)) return for_addition || has_table(conv) ? kNoNode : producer;
    return is_pixel_conv(graph_, conv) ? producer : kNoNode;
  }

  /// The later of the two operands' convolutions, so that the other operand is there when it runs.
  NodeId absorb_addition(Node& add) {
    const NodeId first = open_conv(add.inputs[0], true), second = open_conv(add.inputs[3], true);
    const NodeId chosen = std::max(first, second);
    if (chosen == kNoNode) return kNoNode;
    if (chosen == second)
      for (size_t i = 0; i < 3; ++i) std::swap(add.inputs[i], add.inputs[i + 3]);
    Node fused = as_fused_conv(graph_.nodes[static_cast<size_t>(chosen)]);
    if (chosen == second) fused.attributes["residual_first"] = int64_t{1};
    std::copy(add.inputs.begin() + 1, add.inputs.end(), fused.inputs.begin() + kFusedConvAddition);
    finish(fused, add);
    return chosen;
  }

  NodeId absorb_table(Node& node) {
    if (node.op_type != "LookupTable" || node.domain != kEngineDomain) return kNoNode;
    if (graph_.value(node.outputs[0]).dtype != DataType::kU8) return kNoNode;
    const NodeId conv = open_conv(node.inputs[0], false);
    if (conv == kNoNode) return kNoNode;
    Node fused = as_fused_conv(graph_.nodes[static_cast<size_t>(conv)]);
    fused.inputs[kFusedConvTable] = node.inputs[1];
    finish(fused, node);
    return conv;
  }

  /// Puts the fused node where `last`, the end of what it computes, was.
  void finish(Node& fused, Node& last) {
    fused.outputs = last.outputs;
    const auto place = static_cast<NodeId>(&last - graph_.nodes.data());
    last = std::move(fused);
    index_.producers[static_cast<size_t>(last.outputs[0])] = place;
  }

  Graph& graph_;
  const std::vector<bool>& keep_;
  GraphIndex index_;
};

}  // namespace

void fuse_conv_epilogues(Graph& graph, const std::vector<bool>& keep) {
  ConvFuser(graph, keep).fuse();
}

}  // namespace quantize
