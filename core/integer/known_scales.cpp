// Read known_scales() and float_form(), at the end, first.
#include "core/integer/known_scales.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/fusion/patterns.h"
#include "core/integer/forms.h"
#include "core/integer/islands.h"
#include "core/integer/quantized_operand.h"
#include "core/ops/op.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

/// The graph as both functions read it: with types, constants as such, and QuantizeLinear of one domain.
Graph inferred(Graph graph) {
  standardize_quantizers(graph);
  infer_and_fold(graph, ConstantCodes::kKeep);
  return graph;
}

/// Names of reals by the values of codes that stand for them.
class RealNames {
 public:
  explicit RealNames(const Graph& graph) : graph_(graph), index_(graph) {}

  /// Codes are called after their reals, or QuantizeLinear makes them of these.
  std::string of_codes(ValueId codes) const {
    const Node* maker = node_at(index_.producer(codes));
    if (maker != nullptr && is_quantize(*maker)) return of_pair(*maker);
    return without_ending(graph_.value(codes).name);
  }

  /// The name of a real value that a DequantizeLinear may have made.
  std::string of_reals(ValueId reals) const {
    const Node* maker = node_at(index_.producer(reals));
    return maker != nullptr && is_dequantize(*maker) ? of_codes(maker->inputs[0]) : graph_.value(reals).name;
  }

 private:
  const Node* node_at(NodeId id) const {
    return id == kNoNode ? nullptr : &graph_.nodes[static_cast<size_t>(id)];
  }

  /// The reals before QuantizeLinear, or those behind DequantizeLinear where the codes are called after these.
  std::string of_pair(const Node& quantize) const {
    const std::string &codes = graph_.value(quantize.outputs[0]).name,
                      &before = graph_.value(quantize.inputs[0]).name;
    const auto shared = [&](const std::string& name) { return codes.starts_with(name) ? name.size() : 0; };
    for (const GraphIndex::Use& use : index_.uses(quantize.outputs[0])) {
      const Node& reader = graph_.nodes[static_cast<size_t>(use.node)];
      if (!is_dequantize(reader) || use.input != 0) continue;
      const std::string& behind = graph_.value(reader.outputs[0]).name;
      if (index_.is_output(reader.outputs[0]) || shared(behind) > shared(before)) return behind;
    }
    return before;
  }

  static std::string without_ending(const std::string& name) {
    constexpr std::array<std::string_view, 2> kEndings = {"_quantized", "_QuantizeLinear_Output"};
    for (const std::string_view ending : kEndings)
      if (name.size() > ending.size() && name.ends_with(ending))
        return name.substr(0, name.size() - ending.size());
    return name;
  }

  const Graph& graph_;
  const GraphIndex index_;
};

QuantParams params_of(const OperandParams& read, DataType dtype, const Node& node) {
  const Range codes = code_range({.dtype = dtype, .num_bits = static_cast<int>(8 * size_of(dtype))});
  QuantParams params;
  params.dtype = dtype;
  params.scale = read.scale;
  params.zero_point = read.zero_point;
  params.quant_min = static_cast<int32_t>(codes.min);
  params.quant_max = static_cast<int32_t>(codes.max);
  if (!read.per_tensor()) params.axis = node.int_attribute("axis", is_dequantize(node) ? 1 : 0);
  return params;
}

bool holds_scales(DataType dtype) {
  return dtype == DataType::kU8 || dtype == DataType::kS8 || dtype == DataType::kU16 ||
         dtype == DataType::kS16;
}

/// Reads a graph node by node.
class Reader {
 public:
  explicit Reader(Graph graph) : graph_(std::move(graph)), names_(graph_) {}

  KnownScales read() {
    for (const Node& node : graph_.nodes) {
      for (const CodeOperand& operand : slots_of(node).operands) read_operand(node, operand);
      const size_t y_scale = slots_of(node).y_scale;
      if (y_scale != kAnyNumber) keep(node, node.output(0), y_scale, y_scale + 1);
      read_layer(node);
    }
    return std::move(found_);
  }

 private:
  void read_operand(const Node& node, const CodeOperand& operand) {
    keep(node, node.input(operand.codes), operand.scale, operand.zero_point);
  }

  void keep(const Node& node, ValueId codes, size_t scale, size_t zero_point) {
    if (codes == kNoValue || !holds_scales(graph_.value(codes).dtype)) return;
    const auto read = constant_params(graph_, node, scale, zero_point);
    std::string name = names_.of_codes(codes);
    if (!read || !seen_.insert(name).second) return;
    auto& list = graph_.value(codes).is_constant() ? found_.weights : found_.activations;
    list.push_back({std::move(name), params_of(*read, graph_.value(codes).dtype, node)});
  }

  /// A layer of weights in float form, between DequantizeLinear, or as an integer operator.
  void read_layer(const Node& node) {
    const auto operands = slots_of(node).operands;
    const bool integer = operands.size() == 2;
    if (!integer && quantization_of(graph_, node) != QuantizationRule::kWeighted) return;
    const ValueId x = node.input(integer ? operands[0].codes : 0),
                  w = node.input(integer ? operands[1].codes : 1);
    if (x == kNoValue || w == kNoValue) return;
    KnownLayer layer{node.name, integer ? names_.of_codes(x) : names_.of_reals(x),
                     integer ? names_.of_codes(w) : names_.of_reals(w)};
    if (KnownScales::find(found_.weights, layer.weights) != nullptr)
      found_.layers.push_back(std::move(layer));
  }

  const Graph graph_;
  const RealNames names_;
  std::set<std::string> seen_;
  KnownScales found_;
};

/// Makes the float form step by step.
class FloatForm {
 public:
  explicit FloatForm(const Graph& qdq) : source_(inferred(qdq)), names_(source_), graph_(source_) {}

  Graph make() {
    check();
    restore_clamps();
    join();
    for (ValueId id = 0; id < static_cast<ValueId>(names_of_.size()); ++id)
      if (!names_of_[at(id)].empty()) rename(id, names_of_[at(id)]);
    drop_nodes(graph_, dropped_);
    infer_and_fold(graph_);
    remove_unused_values(graph_);
    return std::move(graph_);
  }

 private:
  static size_t at(int32_t id) { return static_cast<size_t>(id); }

  void check() const {
    const GraphIndex index(source_);
    for (const Node& node : source_.nodes) {
      const ValueId x = node.input(0);
      const NodeId maker = x == kNoValue ? kNoNode : index.producer(x);
      const bool reads_codes =
          maker != kNoNode && is_quantize(source_.nodes[at(maker)]) && !is_dequantize(node);
      if (is_integer_operator(node) || reads_codes)
        throw Error(
            ErrorKind::kUnsupported,
            describe(source_, node) +
                " computes on codes; a model of QuantizeLinear and DequantizeLinear has a float form, "
                "one of integer operators has none");
    }
  }

  /// A rounding to codes that begin at 0 is the Relu that stood before it.
  void restore_clamps() {
    const GraphIndex index(source_);
    std::vector<Node> nodes;
    for (const Node& node : source_.nodes) {
      nodes.push_back(node);
      if (!is_quantize(node) || !cuts_sums(index, node)) continue;
      Node relu;
      relu.op_type = "Relu";
      relu.inputs = {node.inputs[0]};
      relu.outputs = {graph_.add_value(source_.value(node.inputs[0]).name + "_clamped", DataType::kF32,
                                       source_.value(node.inputs[0]).shape)};
      relu.name = graph_.value(relu.outputs[0]).name;
      nodes.back().inputs[0] = relu.outputs[0];
      nodes.insert(nodes.end() - 1, std::move(relu));
    }
    graph_.nodes = std::move(nodes);
  }

  bool cuts_sums(const GraphIndex& index, const Node& quantize) const {
    const NodeId maker = index.producer(quantize.inputs[0]);
    const auto params = constant_params(source_, quantize, 1);
    if (maker == kNoNode || !params || !holds_scales(source_.value(quantize.outputs[0]).dtype)) return false;
    const Node& node = source_.nodes[at(maker)];
    const OpDef* def = try_find_op(source_, node);
    const QuantizationRule rule = quantization_of(source_, node);
    const bool sums =
        rule == QuantizationRule::kWeighted || (rule == QuantizationRule::kArithmetic && def != nullptr &&
                                                def->elementwise && node.inputs.size() > 1);
    const DataType dtype = source_.value(quantize.outputs[0]).dtype;
    const auto lowest = static_cast<int32_t>(
        code_range({.dtype = dtype, .num_bits = static_cast<int>(8 * size_of(dtype))}).min);
    return sums && std::all_of(params->zero_point.begin(), params->zero_point.end(),
                               [&](int32_t zero_point) { return zero_point == lowest; });
  }

  /// Lets readers of DequantizeLinear read what was rounded; leaves out what stood around that.
  void join() {
    const GraphIndex index(graph_);
    dropped_.assign(graph_.nodes.size(), false);
    names_of_.resize(graph_.values.size());
    for (NodeId n = 0; n < static_cast<NodeId>(graph_.nodes.size()); ++n) {
      const Node node = graph_.nodes[at(n)];
      if (is_shield(graph_, index, node)) leave_out(n, node.inputs[0], node.outputs[0]);
      if (!is_dequantize(node)) continue;
      const NodeId maker = index.producer(node.inputs[0]);
      if (graph_.value(node.inputs[0]).is_constant())
        names_of_[at(node.outputs[0])] = names_.of_codes(node.inputs[0]);
      if (maker == kNoNode || !is_quantize(graph_.nodes[at(maker)])) continue;
      const ValueId real = graph_.nodes[at(maker)].inputs[0];
      dropped_[at(maker)] = true;
      std::string name = names_.of_codes(node.inputs[0]);
      leave_out(n, real, node.outputs[0]);
      if (index.producer(real) != kNoNode) names_of_[at(real)] = std::move(name);
    }
  }

  void leave_out(NodeId n, ValueId from, ValueId to) {
    replace_uses(graph_, to, from);
    dropped_[at(n)] = true;
  }

  /// Gives the value this name; a value that has it, and is no input, takes the other's.
  void rename(ValueId id, const std::string& name) {
    const ValueId other = graph_.find_value(name);
    if (other == id) return;
    if (other != kNoValue) {
      if (std::find(graph_.inputs.begin(), graph_.inputs.end(), other) != graph_.inputs.end()) return;
      std::swap(graph_.value(other).name, graph_.value(id).name);
      return;
    }
    graph_.value(id).name = name;
  }

  const Graph source_;
  const RealNames names_;
  Graph graph_;
  std::vector<bool> dropped_;
  std::vector<std::string> names_of_;  // per value: the name that it is to have; empty: its own
};

}  // namespace

const KnownScale* KnownScales::find(const std::vector<KnownScale>& scales, const std::string& value) {
  const auto found = std::find_if(scales.begin(), scales.end(),
                                  [&](const KnownScale& known) { return known.value == value; });
  return found == scales.end() ? nullptr : &*found;
}

KnownScales known_scales(const Graph& graph) {
  return Reader(inferred(graph)).read();
}

Graph float_form(const Graph& qdq) {
  return FloatForm(qdq).make();
}

}  // namespace quantize
