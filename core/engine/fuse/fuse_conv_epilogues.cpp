// Element-wise operators behind a convolution move into it. Read fuse_conv_epilogues() first.
#include <algorithm>

#include "core/engine/fuse/fuse_integer.h"
#include "core/engine/steps/pixel_conv.h"
#include "core/fusion/chain.h"
#include "core/integer/fused_conv.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

class ConvFuser {
 public:
  ConvFuser(Graph& graph, const std::vector<bool>& keep)
      : graph_(graph), index_(graph), chains_(graph, index_, [&](NodeId n) {
          return rules_of(graph.nodes[static_cast<size_t>(n)], keep);
        }) {}

  void fuse() {
    std::vector<bool> dropped(graph_.nodes.size(), false);
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Chain& chain = chains_.of(static_cast<NodeId>(n));
      const std::vector<NodeId> links = chain.links();
      if (links.empty()) continue;
      Node fused = as_fused_conv(graph_.nodes[n]);
      if (chain.addition) take_addition(fused, *chain.addition);
      if (chain.table != kNoNode)
        fused.inputs[kFusedConvTable] = graph_.nodes[static_cast<size_t>(chain.table)].inputs[1];
      // The fused node stands where its last part was.
      Node& last = graph_.nodes[static_cast<size_t>(links.back())];
      fused.outputs = last.outputs;
      last = std::move(fused);
      dropped[n] = true;
      for (size_t i = 0; i + 1 < links.size(); ++i) dropped[static_cast<size_t>(links[i])] = true;
    }
    drop_nodes(graph_, dropped);
  }

 private:
  /// A convolution without a part of its own behind it takes an addition; any takes one table, behind codes.
  ChainRules rules_of(const Node& conv, const std::vector<bool>& keep) const {
    const bool fused = is_fused_conv(conv), plain = is_pixel_conv(graph_, conv);
    ChainRules rules{.addition = plain, .table = plain || (fused && !has_table(conv) && !function_of(conv))};
    rules.takes = [this](ChainPart part, NodeId n) {
      return takes(part, graph_.nodes[static_cast<size_t>(n)]);
    };
    rules.keep = &keep;
    return rules;
  }

  /// True for operators whose codes are all u8.
  bool takes(ChainPart part, const Node& node) const {
    const auto is_u8 = [&](ValueId id) { return graph_.value(id).dtype == DataType::kU8; };
    return is_u8(node.outputs[0]) &&
           (part != ChainPart::kAddition || (is_u8(node.inputs[0]) && is_u8(node.inputs[3])));
  }

  void take_addition(Node& fused, const ImageAddition& addition) const {
    std::vector<ValueId> operands = graph_.nodes[static_cast<size_t>(addition.add)].inputs;
    if (addition.other_first) {
      std::rotate(operands.begin(), operands.begin() + 3, operands.begin() + 6);
      fused.attributes["residual_first"] = int64_t{1};
    }
    std::copy(operands.begin() + 1, operands.end(), fused.inputs.begin() + kFusedConvAddition);
  }

  Graph& graph_;
  const GraphIndex index_;
  const Chains chains_;
};

}  // namespace

void fuse_conv_epilogues(Graph& graph, const std::vector<bool>& keep) {
  ConvFuser(graph, keep).fuse();
}

}  // namespace quantize
