// Recognizing the spellings and putting one node there. Read FunctionFuser::fuse_behind() first.
#include "core/engine/fuse/fuse_functions.h"

#include <algorithm>

#include "core/fusion/chain.h"
#include "core/integer/fused_function.h"
#include "core/integer/quantized_operand.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

class FunctionFuser {
 public:
  FunctionFuser(Graph& graph, const std::vector<bool>& keep)
      : graph_(graph), keep_(keep), index_(graph), dropped_(graph.nodes.size(), false) {
    constexpr DataType kNoCodes[] = {DataType::kUndefined, DataType::kF32, DataType::kF64, DataType::kF16,
                                     DataType::kBF16,      DataType::kS64, DataType::kBool};
    reals_alone_ = std::all_of(graph.values.begin(), graph.values.end(), [&](const Value& value) {
      return std::find(std::begin(kNoCodes), std::end(kNoCodes), value.dtype) != std::end(kNoCodes);
    });
  }

  void fuse() {
    const size_t values = graph_.values.size();
    for (size_t id = 0; id < values; ++id)
      if (graph_.values[id].dtype == DataType::kF32 && !graph_.values[id].is_constant())
        fuse_behind(static_cast<ValueId>(id));
    drop_nodes(graph_, dropped_);
  }

 private:
  const Node& node(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }
  bool is_kept(ValueId id) const {
    return static_cast<size_t>(id) < keep_.size() && keep_[static_cast<size_t>(id)];
  }

  void fuse_behind(ValueId x) {
    if (index_.uses(x).empty() || dropped_[static_cast<size_t>(index_.uses(x)[0].node)]) return;
    const ChainRules rules{
        .function = true, .tolerance = kSpelledExactly, .keep = &keep_, .hides_anchor = false};
    const auto pattern = chain_behind(graph_, index_, x, rules).function;
    if (!pattern) return;
    const auto& nodes = pattern->nodes;
    const NodeId end = nodes.back();
    if (graph_.value(node(end).outputs[0]).shape != graph_.value(x).shape) return;
    Node fused = fused_function(x, pattern->function, pattern->alpha);
    if (reals_alone_) fused.attributes["short"] = int64_t{1};
    fused.name = node(end).name;
    fused.outputs = node(end).outputs;
    for (NodeId n : nodes) dropped_[static_cast<size_t>(n)] = true;
    NodeId place = end;
    if (const NodeId rounding = rounding_behind(fused.outputs[0]); rounding != kNoNode) {
      place = rounding;
      dropped_[static_cast<size_t>(rounding)] = true;
      fused.inputs.insert(fused.inputs.end(), node(rounding).inputs.begin() + 1, node(rounding).inputs.end());
      fused.outputs = node(rounding).outputs;
    }
    graph_.nodes[static_cast<size_t>(place)] = std::move(fused);
    dropped_[static_cast<size_t>(place)] = false;
  }

  /// The QuantizeLinear to one scale that alone reads a value; kNoNode: none.
  NodeId rounding_behind(ValueId id) const {
    const NodeId reader = is_kept(id) ? kNoNode : quantize_reading(graph_, index_, id);
    if (reader == kNoNode || node(reader).input(2) == kNoValue) return kNoNode;
    const auto params = constant_params(graph_, node(reader), 1);
    const DataType dtype = graph_.value(node(reader).outputs[0]).dtype;
    const bool is_code = dtype == DataType::kU8 || dtype == DataType::kS8;
    return params && params->per_tensor() && is_code ? reader : kNoNode;
  }

  Graph& graph_;
  const std::vector<bool>& keep_;
  const GraphIndex index_;
  std::vector<bool> dropped_;
  bool reals_alone_;  // what is computed here never becomes codes
};

}  // namespace

void fuse_functions(Graph& graph, const std::vector<bool>& keep) {
  FunctionFuser(graph, keep).fuse();
}

}  // namespace quantize
