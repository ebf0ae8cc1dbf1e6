// Chains of elementwise operators between two 8-bit values become tables. Read fuse_tables() first.
#include <algorithm>

#include "core/engine/fuse/fuse_integer.h"
#include "core/ops/op.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

bool is_8_bit(DataType dtype) {
  return dtype == DataType::kU8 || dtype == DataType::kS8;
}

class TableFuser {
 public:
  TableFuser(Graph& graph, const std::vector<bool>& keep)
      : graph_(graph), keep_(keep), index_(graph), sources_(graph.values.size(), kNoValue) {}

  void fuse() {
    for (const Node& node : graph_.nodes) find_sources(node);
    std::vector<bool> needed(graph_.values.size(), false);
    for (size_t id = 0; id < needed.size(); ++id)
      needed[id] = index_.is_output(static_cast<ValueId>(id)) || (id < keep_.size() && keep_[id]);
    for (size_t n = graph_.nodes.size(); n-- > 0;) {
      Node& node = graph_.nodes[n];
      const bool wanted = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
        return id != kNoValue && needed[static_cast<size_t>(id)];
      });
      if (!wanted && in_chain(node)) continue;
      if (wanted && ends_chain(node)) replace_by_table(node);  // now it reads nothing but the source
      for (ValueId id : node.inputs)
        if (id != kNoValue && !graph_.value(id).is_constant()) needed[static_cast<size_t>(id)] = true;
    }
    remove_dead_nodes(graph_, keep_);
  }

 private:
  ValueId source(ValueId id) const { return id == kNoValue ? kNoValue : sources_[static_cast<size_t>(id)]; }
  bool in_chain(const Node& node) const {
    return source(node.output(0)) != kNoValue && source(node.output(0)) != node.output(0);
  }
  bool ends_chain(const Node& node) const {
    return in_chain(node) && is_8_bit(graph_.value(node.outputs[0]).dtype);
  }

  /// The 8-bit value that the node's output is a function of, element by element: an 8-bit output that is a
  /// function of no other one is its own source.
  void find_sources(const Node& node) {
    for (ValueId id : node.outputs)
      if (id != kNoValue && is_8_bit(graph_.value(id).dtype)) sources_[static_cast<size_t>(id)] = id;
    for (ValueId id : node.inputs) {  // graph inputs have no node that makes them
      if (id == kNoValue || index_.producer(id) != kNoNode || graph_.value(id).is_constant()) continue;
      if (is_8_bit(graph_.value(id).dtype)) sources_[static_cast<size_t>(id)] = id;
    }
    if (!find_op(graph_, node).elementwise || node.outputs.size() != 1) return;
    ValueId common = kNoValue;
    for (ValueId id : node.inputs) {
      if (id == kNoValue) continue;
      if (const Tensor* constant = graph_.constant(id)) {
        if (constant->size() != 1) return;  // its axes: the shapes below are the same
        continue;
      }
      if (source(id) == kNoValue || (common != kNoValue && common != source(id))) return;
      common = source(id);
    }
    if (common == kNoValue || graph_.value(common).shape != graph_.value(node.outputs[0]).shape) return;
    sources_[static_cast<size_t>(node.outputs[0])] = common;
  }

  void replace_by_table(Node& node) {
    const ValueId from = source(node.outputs[0]);
    const ValueId table =
        graph_.add_constant(graph_.value(node.outputs[0]).name + "_table", table_of(from, node.outputs[0]));
    node.op_type = "LookupTable";
    node.domain = kEngineDomain;
    node.inputs = {from, table};
    node.attributes.clear();
  }

  /// Runs the chain on all 256 codes, in the order of their bits.
  Tensor table_of(ValueId from, ValueId to) const {
    Tensor codes(graph_.value(from).dtype, {256});
    for (int i = 0; i < 256; ++i) static_cast<uint8_t*>(codes.mutable_bytes())[i] = static_cast<uint8_t>(i);
    return evaluate_chain(graph_, index_, from, to, codes);
  }

  Graph& graph_;
  const std::vector<bool>& keep_;
  const GraphIndex index_;
  std::vector<ValueId> sources_;  // per value; kNoValue: no function of one 8-bit value
};

}  // namespace

void fuse_tables(Graph& graph, const std::vector<bool>& keep) {
  TableFuser(graph, keep).fuse();
}

}  // namespace quantize
