// Reading chains, part by part.
#include "core/fusion/chain.h"

#include <algorithm>

namespace quantize {

namespace {

class ChainReader {
 public:
  ChainReader(const Graph& graph, const GraphIndex& index, ValueId anchor, const ChainRules& rules)
      : graph_(graph), index_(index), rules_(rules), anchor_(anchor), end_(anchor) {}

  Chain read() {
    add_clamp();
    if (chain_.clamp != kNoNode) return std::move(chain_);
    add_function();
    add_addition();
    if (chain_.addition || (chain_.function && rules_.clamp_behind_function)) add_clamp();
    add_table();
    return std::move(chain_);
  }

 private:
  const Node& node(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }
  bool is_kept(ValueId id) const {
    return rules_.keep != nullptr && static_cast<size_t>(id) < rules_.keep->size() &&
           (*rules_.keep)[static_cast<size_t>(id)] && (id != anchor_ || rules_.hides_anchor);
  }
  bool takes(ChainPart part, NodeId n) const { return !rules_.takes || rules_.takes(part, n); }
  bool can_take(ChainPart part, NodeId n) const { return n != kNoNode && !is_kept(end_) && takes(part, n); }
  void go_behind(NodeId n) { end_ = node(n).outputs[0]; }

  void add_clamp() {
    const NodeId clamp = rules_.clamp ? clamp_reading(graph_, index_, end_) : kNoNode;
    if (!can_take(ChainPart::kClamp, clamp)) return;
    if (!rules_.shield && is_shield(graph_, index_, node(clamp))) return;
    chain_.clamp = clamp;
    go_behind(clamp);
  }

  void add_function() {
    if (!rules_.function || is_kept(end_)) return;
    auto function = function_behind(graph_, index_, end_, rules_.tolerance);
    if (!function) return;
    const auto& nodes = function->nodes;
    const bool hides =
        std::any_of(nodes.begin(), nodes.end() - 1, [&](NodeId n) { return is_kept(node(n).outputs[0]); });
    const auto is_taken = [&](NodeId n) { return takes(ChainPart::kFunction, n); };
    if (hides || !std::all_of(nodes.begin(), nodes.end(), is_taken)) return;
    go_behind(nodes.back());
    chain_.function = std::move(function);
  }

  void add_addition() {
    const auto addition = rules_.addition ? addition_reading(graph_, index_, end_) : std::nullopt;
    if (!addition || !can_take(ChainPart::kAddition, addition->add)) return;
    if (chain_.function && !rules_.late_residual &&
        index_.producer(addition->other) >= index_.producer(anchor_))
      return;
    chain_.addition = addition;
    go_behind(addition->add);
  }

  void add_table() {
    const NodeId table = rules_.table ? table_reading(graph_, index_, end_) : kNoNode;
    if (!can_take(ChainPart::kTable, table)) return;
    chain_.table = table;
    go_behind(table);
  }

  const Graph& graph_;
  const GraphIndex& index_;
  const ChainRules& rules_;
  const ValueId anchor_;
  ValueId end_;  // of the chain so far
  Chain chain_;
};

}  // namespace

std::vector<NodeId> Chain::links() const {
  std::vector<NodeId> links;
  if (function) links.push_back(function->nodes.back());
  if (addition) links.push_back(addition->add);
  if (clamp != kNoNode) links.push_back(clamp);
  if (table != kNoNode) links.push_back(table);
  return links;
}

std::vector<NodeId> Chain::nodes() const {
  std::vector<NodeId> nodes = links();
  if (function) nodes.insert(nodes.begin(), function->nodes.begin(), function->nodes.end() - 1);
  return nodes;
}

Chain chain_behind(const Graph& graph, const GraphIndex& index, ValueId anchor, const ChainRules& rules) {
  return ChainReader(graph, index, anchor, rules).read();
}

Chains::Chains(const Graph& graph, const GraphIndex& index, const std::function<ChainRules(NodeId)>& rules_of)
    : chains_(graph.nodes.size()), before_(graph.nodes.size(), kNoNode) {
  for (auto n = static_cast<NodeId>(graph.nodes.size()); n-- > 0;) {
    const ValueId anchor = graph.nodes[static_cast<size_t>(n)].output(0);
    if (anchor == kNoValue) continue;
    const ChainRules rules = rules_of(n);
    Chain chain = chain_behind(graph, index, anchor, rules);
    if (chain.addition &&
        before(chain.addition->add) != kNoNode) {  // a later anchor has it, and all behind it
      chain.addition.reset();
      chain.clamp = chain.table = kNoNode;
    }
    NodeId last = n;
    for (NodeId link : chain.links()) {
      before_[static_cast<size_t>(link)] = last;
      last = link;
    }
    chains_[static_cast<size_t>(n)] = std::move(chain);
  }
}

}  // namespace quantize
