// Both forms have their casts at the same places. Read Narrower::run first.
#include "core/quantization/rest/narrow_rest.h"

#include <map>
#include <set>

#include "core/ops/support/convert_tensor.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/rest/narrow_operators.h"

namespace quantize {

namespace {

class Narrower {
 public:
  /// rounds: values keep f32 and are rounded.
  Narrower(Graph written, const PlannedModel& planned, bool rounds)
      : graph_(std::move(written)), index_(graph_), type_(planned.plan.rest), rounds_(rounds) {
    for (size_t n = 0; n < planned.plan.nodes.size(); ++n)
      if (planned.plan.nodes[n].narrow) names_.insert(planned.graph.nodes[n].name);
  }

  Graph run() {
    if (names_.empty()) return std::move(graph_);
    const std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    narrow_.assign(nodes.size(), false);
    for (size_t n = 0; n < nodes.size(); ++n) narrow_[n] = names_.contains(nodes[n].name);
    for (size_t n = 0; n < nodes.size(); ++n)
      if (narrow_[n])
        push_narrow(nodes[n]);
      else
        graph_.nodes.push_back(nodes[n]);
    constexpr int64_t kWithBrain = 22;  // the first opset whose Conv has bf16
    if (type_ == DataType::kBF16 && !rounds_) graph_.info.opsets[""] = std::max(graph_.opset(), kWithBrain);
    return std::move(graph_);
  }

 private:
  bool is_real(ValueId id) const { return id != kNoValue && graph_.value(id).dtype == DataType::kF32; }

  void push_narrow(Node node) {
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (is_real(node.inputs[i]) && !stays_f32(node, i)) node.inputs[i] = narrow(node.inputs[i]);
    std::vector<std::pair<ValueId, ValueId>> results;  // of 16 bits, and as others read it
    for (ValueId& id : node.outputs) {
      if (!is_real(id)) continue;
      const ValueId wide = id;
      id = graph_.add_value(graph_.value(wide).name + "_" + std::string(name_of(type_)),
                            rounds_ ? DataType::kF32 : type_, graph_.value(wide).shape);
      results.emplace_back(id, wide);
    }
    graph_.nodes.push_back(std::move(node));
    for (const auto& [made, wide] : results) {
      narrow_of_[wide] = rounds_ ? wide : made;
      if (rounds_)
        round(made, wide);
      else if (is_read_wide(wide))
        cast(made, DataType::kF32, wide);
    }
  }

  /// True if an output of the graph, or a node of f32, reads it.
  bool is_read_wide(ValueId id) const {
    if (index_.is_output(id)) return true;
    for (const GraphIndex::Use& use : index_.uses(id))
      if (!narrow_[static_cast<size_t>(use.node)]) return true;
    return false;
  }

  /// The value in 16 bits, made once.
  ValueId narrow(ValueId id) {
    const auto [known, is_new] = narrow_of_.try_emplace(id, kNoValue);
    if (!is_new) return known->second;
    const std::string name = graph_.value(id).name + "_" + std::string(name_of(type_));
    if (const Tensor* constant = graph_.constant(id)) {
      const Tensor halves = converted(*constant, type_);
      return known->second = graph_.add_constant(name, rounds_ ? converted(halves, DataType::kF32) : halves);
    }
    known->second = graph_.add_value(name, rounds_ ? DataType::kF32 : type_, graph_.value(id).shape);
    if (rounds_)
      round(id, known->second);
    else
      cast(id, type_, known->second);
    return known->second;
  }

  void cast(ValueId from, DataType to, ValueId output) {
    Node node;
    node.op_type = "Cast";
    node.inputs = {from};
    node.outputs = {output};
    node.name = graph_.value(output).name + "_cast";
    node.attributes["to"] = static_cast<int64_t>(to);
    graph_.nodes.push_back(std::move(node));
  }

  void round(ValueId from, ValueId output) {
    const ValueId halves =
        graph_.add_value(graph_.value(output).name + "_rounded", type_, graph_.value(from).shape);
    cast(from, type_, halves);
    cast(halves, DataType::kF32, output);
  }

  Graph graph_;
  const GraphIndex index_;
  const DataType type_;
  const bool rounds_;
  std::set<std::string> names_;
  std::vector<bool> narrow_;              // per node of the written graph
  std::map<ValueId, ValueId> narrow_of_;  // by the value of f32
};

}  // namespace

Graph narrow_rest(Graph written, const PlannedModel& planned) {
  return Narrower(std::move(written), planned, false).run();
}

Graph round_rest(Graph written, const PlannedModel& planned) {
  return Narrower(std::move(written), planned, true).run();
}

Graph judged_graph(const PlannedModel& planned) {
  return round_rest(insert_qdq(planned), planned);
}

}  // namespace quantize
