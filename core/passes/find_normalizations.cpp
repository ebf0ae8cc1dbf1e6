// LayerNormalization and InstanceNormalization that exporters wrote as means, squares and roots. Read
// find_normalizations(), at the end, first.
#include <algorithm>

#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

/// The axes of x, counted from 0 and ascending, over which a mean is taken.
struct Mean {
  ValueId x = kNoValue;
  std::vector<int64_t> axes;

  bool operator==(const Mean&) const = default;
};

/// sqrt(variance + epsilon), or its reciprocal.
struct Deviation {
  Mean mean;
  float epsilon = 0;
};

/// (x - mean) / deviation, and constant factors and summands behind it.
struct Normalized {
  Mean mean;
  float epsilon = 0;
  const Tensor *scale = nullptr, *bias = nullptr;
  NodeId last = kNoNode;  // what computes it
};

/// Reads the operators behind a value.
class Reader {
 public:
  Reader(const Graph& graph, const GraphIndex& index) : graph_(graph), index_(index) {}

  /// The normalization that ends with this node, constants behind it left aside.
  std::optional<Normalized> read(NodeId id) const {
    const Node& node = graph_.nodes[static_cast<size_t>(id)];
    if (!node.domain.empty() || node.inputs.size() != 2) return std::nullopt;
    const ValueId a = node.inputs[0], b = node.inputs[1];
    std::optional<Normalized> found;
    if (node.op_type == "Div") found = joined(centred(a), root(b));
    if (node.op_type == "Mul") found = joined(centred(a), reciprocal(b));
    if (node.op_type == "Mul" && !found) found = joined(centred(b), reciprocal(a));
    if (node.op_type == "Add") found = spread(a, b);
    if (node.op_type == "Add" && !found) found = spread(b, a);
    if (found) found->last = id;
    return found;
  }

 private:
  /// The node of this operator that computes the value, or nullptr.
  const Node* maker(ValueId id, const char* op_type) const {
    const NodeId node = id == kNoValue ? kNoNode : index_.producer(id);
    if (node == kNoNode) return nullptr;
    const Node& made = graph_.nodes[static_cast<size_t>(node)];
    return made.domain.empty() && made.op_type == op_type ? &made : nullptr;
  }

  std::optional<float> number(ValueId id) const {
    const Tensor* constant = graph_.constant(id);
    if (constant == nullptr || constant->size() != 1 || constant->dtype() != DataType::kF32)
      return std::nullopt;
    return constant->data<float>()[0];
  }

  std::optional<Mean> mean(ValueId id) const {
    const Node* node = maker(id, "ReduceMean");
    if (node == nullptr || node->int_attribute("keepdims", 1) == 0) return std::nullopt;
    const auto& shape = graph_.value(node->inputs[0]).shape;
    std::vector<int64_t> axes = node->ints_attribute("axes", {});
    if (const Tensor* given = graph_.constant(node->input(1))) axes = to_integers(given->view());
    if (!shape || axes.empty()) return std::nullopt;
    axes = normalize_axes(axes, shape->size());
    std::sort(axes.begin(), axes.end());
    return Mean{node->inputs[0], axes};
  }

  /// x - mean(x)
  std::optional<Mean> centred(ValueId id) const {
    const Node* node = maker(id, "Sub");
    if (node == nullptr) return std::nullopt;
    auto found = mean(node->inputs[1]);
    return found && found->x == node->inputs[0] ? found : std::nullopt;
  }

  /// mean((x - mean(x)) ^ 2)
  std::optional<Mean> variance(ValueId id) const {
    const auto outer = mean(id);
    if (!outer) return std::nullopt;
    std::optional<Mean> inner;
    if (const Node* product = maker(outer->x, "Mul"); product && product->inputs[0] == product->inputs[1])
      inner = centred(product->inputs[0]);
    if (const Node* power = maker(outer->x, "Pow"); power && number(power->inputs[1]) == 2.0f)
      inner = centred(power->inputs[0]);
    return inner && inner->axes == outer->axes ? inner : std::nullopt;
  }

  /// variance + epsilon
  std::optional<Deviation> raised(ValueId id) const {
    const Node* node = maker(id, "Add");
    for (const size_t place : {0u, 1u}) {
      if (node == nullptr) break;
      const auto epsilon = number(node->inputs[1 - place]);
      if (const auto found = variance(node->inputs[place]); found && epsilon && *epsilon >= 0)
        return Deviation{*found, *epsilon};
    }
    return std::nullopt;
  }

  std::optional<Deviation> root(ValueId id) const {
    if (const Node* node = maker(id, "Sqrt")) return raised(node->inputs[0]);
    const Node* power = maker(id, "Pow");
    return power && number(power->inputs[1]) == 0.5f ? raised(power->inputs[0]) : std::nullopt;
  }

  std::optional<Deviation> reciprocal(ValueId id) const {
    if (const Node* node = maker(id, "Reciprocal")) return root(node->inputs[0]);
    if (const Node* node = maker(id, "Div"); node && number(node->inputs[0]) == 1.0f)
      return root(node->inputs[1]);
    const Node* power = maker(id, "Pow");
    return power && number(power->inputs[1]) == -0.5f ? raised(power->inputs[0]) : std::nullopt;
  }

  static std::optional<Normalized> joined(const std::optional<Mean>& centred,
                                          const std::optional<Deviation>& deviation) {
    if (!centred || !deviation || *centred != deviation->mean) return std::nullopt;
    return Normalized{.mean = *centred, .epsilon = deviation->epsilon};
  }

  /// x * factor + (bias - mean * factor), where factor is the reciprocal, or a constant times it.
  std::optional<Normalized> spread(ValueId product, ValueId rest) const {
    const Node *scaled = maker(product, "Mul"), *shift = maker(rest, "Sub");
    const Node* moved = shift ? maker(shift->inputs[1], "Mul") : nullptr;
    const Tensor* bias = shift ? graph_.constant(shift->inputs[0]) : nullptr;
    if (scaled == nullptr || moved == nullptr || bias == nullptr) return std::nullopt;
    for (const size_t place : {0u, 1u}) {
      const ValueId x = scaled->inputs[1 - place], factor = scaled->inputs[place];
      const bool is_first = moved->inputs[0] == factor;
      if (!is_first && moved->inputs[1] != factor) continue;
      const auto [deviation, scale] = scaled_reciprocal(factor);
      const auto means = mean(moved->inputs[is_first ? 1 : 0]);
      if (deviation && means == deviation->mean && means->x == x)
        return Normalized{.mean = *means, .epsilon = deviation->epsilon, .scale = scale, .bias = bias};
    }
    return std::nullopt;
  }

  std::pair<std::optional<Deviation>, const Tensor*> scaled_reciprocal(ValueId id) const {
    if (auto plain = reciprocal(id)) return {plain, nullptr};
    const Node* node = maker(id, "Mul");
    for (const size_t place : {0u, 1u}) {
      if (node == nullptr) break;
      const Tensor* scale = graph_.constant(node->inputs[1 - place]);
      if (scale == nullptr) continue;
      if (auto found = reciprocal(node->inputs[place])) return {found, scale};
    }
    return {std::nullopt, nullptr};
  }

  const Graph& graph_;
  const GraphIndex& index_;
};

/// The operand with the elements of `wanted`, whose axes are the last of those that it broadcasts to, but for
/// `behind` axes; nothing if it varies along another axis.
std::optional<Tensor> fitted(const Tensor& operand, const Shape& wanted, size_t behind) {
  Shape shape = operand.shape();
  if (operand.dtype() != DataType::kF32) return std::nullopt;
  for (size_t i = 0; i < behind && !shape.empty(); ++i) {
    if (shape.back() != 1) return std::nullopt;
    shape.pop_back();
  }
  while (shape.size() > wanted.size() && shape[0] == 1) shape.erase(shape.begin());
  if (shape.size() > wanted.size()) return std::nullopt;
  for (size_t i = 1; i <= shape.size(); ++i)
    if (shape[shape.size() - i] != 1 && shape[shape.size() - i] != wanted[wanted.size() - i])
      return std::nullopt;
  Tensor result(DataType::kF32, wanted);
  copy_strided(wanted, operand.data<float>(), broadcast_strides(shape, wanted), result.mutable_bytes(),
               sizeof(float));
  return result;
}

Tensor filled(const Shape& shape, float value) {
  return Tensor::of<float>(shape, std::vector<float>(static_cast<size_t>(element_count(shape)), value));
}

/// One way to see a normalization: an operator, the shape of its scale and bias, the axes behind these, and what of the
/// constants they take in.
struct View {
  const char* op_type;
  Shape shape;
  size_t behind;
  std::optional<Tensor> scale = {}, bias = {};
  NodeId last = kNoNode;
  int taken = 0;
};

class Writer {
 public:
  Writer(Graph& graph, const GraphIndex& index) : graph_(graph), index_(index) {}

  /// Replaces the last node by the operator that it completes; false if there is none.
  bool write(const Normalized& found) {
    const Shape& shape = *graph_.value(found.mean.x).shape;
    const size_t rank = shape.size(), first = static_cast<size_t>(found.mean.axes[0]);
    if (graph_.value(found.mean.x).dtype != DataType::kF32 || rank - first != found.mean.axes.size())
      return false;
    std::vector<View> views;
    const Shape normalized(shape.begin() + static_cast<std::ptrdiff_t>(first), shape.end());
    if (is_static(normalized)) views.push_back({"LayerNormalization", normalized, 0});
    if (first == 2 && shape[1] != kUnknownDim)
      views.push_back({"InstanceNormalization", {shape[1]}, rank - 2});
    const View* best = nullptr;
    for (View& view : views)
      if (take_in(found, view) && (best == nullptr || view.taken > best->taken)) best = &view;
    if (best == nullptr) return false;
    replace(found, *best);
    return true;
  }

 private:
  /// False if the view cannot hold constants that belong to the normalization itself.
  bool take_in(const Normalized& found, View& view) const {
    view.last = found.last;
    if (found.scale != nullptr && !(view.scale = fitted(*found.scale, view.shape, view.behind))) return false;
    if (found.bias != nullptr) return (view.bias = fitted(*found.bias, view.shape, view.behind)).has_value();
    take_next("Mul", view, view.scale);
    take_next("Add", view, view.bias);
    return true;
  }

  /// Takes the next node in if it is this operator with a constant that fits.
  void take_next(const char* op_type, View& view, std::optional<Tensor>& operand) const {
    const ValueId y = graph_.nodes[static_cast<size_t>(view.last)].outputs[0];
    if (!index_.single_use(y)) return;
    const GraphIndex::Use use = index_.uses(y)[0];
    const Node& node = graph_.nodes[static_cast<size_t>(use.node)];
    if (node.op_type != op_type || !node.domain.empty()) return;
    const Tensor* constant = graph_.constant(node.inputs[1 - use.input]);
    if (constant == nullptr || graph_.value(y).shape != graph_.value(node.outputs[0]).shape) return;
    auto fits = fitted(*constant, view.shape, view.behind);
    if (!fits) return;
    operand = std::move(fits);
    view.last = use.node;
    ++view.taken;
  }

  void replace(const Normalized& found, const View& view) {
    const std::string name = graph_.value(graph_.nodes[static_cast<size_t>(view.last)].outputs[0]).name;
    const ValueId scale =
        graph_.add_constant(name + "_scale", view.scale ? *view.scale : filled(view.shape, 1));
    const ValueId bias = graph_.add_constant(name + "_bias", view.bias ? *view.bias : filled(view.shape, 0));
    Node& node = graph_.nodes[static_cast<size_t>(view.last)];
    node.op_type = view.op_type;
    node.inputs = {found.mean.x, scale, bias};
    node.attributes = {{"epsilon", found.epsilon}};
    if (view.behind == 0) node.attributes["axis"] = found.mean.axes[0];
  }

  Graph& graph_;
  const GraphIndex& index_;
};

/// The first opset with LayerNormalization.
constexpr int64_t kLayerOpset = 17;

}  // namespace

void find_normalizations(Graph& graph) {
  const GraphIndex index(graph);
  Writer writer(graph, index);
  bool found_layer = false, found_any = false;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); ++id)
    if (const auto found = Reader(graph, index).read(id); found && writer.write(*found)) found_any = true;
  if (!found_any) return;
  remove_dead_nodes(graph);
  for (const Node& node : graph.nodes) found_layer |= node.op_type == "LayerNormalization";
  if (found_layer) upgrade_opset(graph, kLayerOpset);
}

}  // namespace quantize
