// An Einsum of two operands that sums over what both have is a MatMul between Transpose and Reshape.
#include <algorithm>
#include <map>

#include "core/ops/einsum.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

using Labels = std::vector<int>;

bool has(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

Labels operator+(Labels first, const Labels& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// Labels by the part they play. `left` and `right` are of one operand and the result.
struct Parts {
  Labels batch, left, sum, right;
};

/// Nothing if a label stands twice in an operand, is of one operand alone and summed, or if nothing is summed.
std::optional<Parts> parts_of(const EinsumEquation& equation) {
  Parts parts;
  const Labels &a = equation.operands[0], &b = equation.operands[1];
  for (const Labels& operand : equation.operands)
    for (const int label : operand)
      if (std::count(operand.begin(), operand.end(), label) != 1) return std::nullopt;
  for (const int label : equation.result) {
    if (has(a, label) && has(b, label)) parts.batch.push_back(label);
    if (has(a, label) && !has(b, label)) parts.left.push_back(label);
    if (!has(a, label) && has(b, label)) parts.right.push_back(label);
  }
  for (const int label : a)
    if (!has(equation.result, label)) parts.sum.push_back(label);
  const bool sums_alike =
      std::all_of(parts.sum.begin(), parts.sum.end(), [&](int label) { return has(b, label); });
  if (parts.sum.empty() || !sums_alike ||
      b.size() != parts.batch.size() + parts.sum.size() + parts.right.size())
    return std::nullopt;
  return parts;
}

/// Appends the nodes that take the place of one Einsum.
class Product {
 public:
  Product(Graph& graph, std::vector<Node>& nodes, const Node& einsum)
      : graph_(graph), nodes_(nodes), einsum_(einsum) {}

  /// False if the node has to stay, with nothing appended.
  bool write() {
    ValueId a = einsum_.inputs[0], b = einsum_.inputs[1];
    if (!read_shape(a) || !read_shape(b)) return false;
    EinsumEquation equation = read_equation(einsum_, {shape_of(a).size(), shape_of(b).size()});
    if (graph_.constant(a) != nullptr && graph_.constant(b) == nullptr) {  // weights stand on the right
      std::swap(a, b);
      std::swap(equation.operands[0], equation.operands[1]);
    }
    const auto parts = parts_of(equation);
    if (!parts || !read_extents(a, equation.operands[0]) || !read_extents(b, equation.operands[1]))
      return false;
    const auto& [batch, left, sum, right] = *parts;
    // Rows of any number of axes are multiplied as they are by one matrix.
    const bool plain = batch.empty() && sum.size() == 1 && right.size() == 1 && !left.empty();
    const bool folds = !plain && (left.size() != 1 || sum.size() != 1 || right.size() != 1);
    const std::vector<Labels> of_a = groups(batch, left, sum), of_b = groups(batch, sum, right),
                              of_y = groups(batch + left + right, {}, {});
    if (folds && (!can_fold(of_a) || !can_fold(of_b) || !can_fold(of_y))) return false;
    a = transposed(a, equation.operands[0], batch + left + sum);
    b = transposed(b, equation.operands[1], batch + sum + right);
    if (folds) {
      a = reshaped(a, of_a);
      b = reshaped(b, of_b);
    }
    ValueId y = append("MatMul", {a, b});
    nodes_.back().name = einsum_.name;
    if (folds) y = reshaped(y, of_y);
    y = transposed(y, batch + left + right, equation.result);
    nodes_.back().outputs[0] = einsum_.outputs[0];
    return true;
  }

 private:
  bool read_shape(ValueId id) const {
    const Value& value = graph_.value(id);
    return value.is_constant() ? value.initializer.dtype() == DataType::kF32
                               : value.dtype == DataType::kF32 && value.shape.has_value();
  }

  Shape shape_of(ValueId id) const {
    const Value& value = graph_.value(id);
    return value.is_constant() ? value.initializer.shape() : *value.shape;
  }

  /// False if a label has different extents in the operands: one of them repeats, or they are not known.
  bool read_extents(ValueId id, const Labels& labels) {
    const Shape shape = shape_of(id);
    for (size_t i = 0; i < labels.size(); ++i)
      if (extents_.try_emplace(labels[i], shape[i]).first->second != shape[i]) return false;
    return true;
  }

  /// The axes of an operand of MatMul: one for each label of the batch, and the labels of the last two.
  static std::vector<Labels> groups(const Labels& batch, const Labels& rows, const Labels& columns) {
    std::vector<Labels> result;
    for (const int label : batch) result.push_back({label});
    if (!rows.empty() || !columns.empty()) {
      result.push_back(rows);
      result.push_back(columns);
    }
    return result;
  }

  std::vector<int64_t> extents_of(const std::vector<Labels>& groups) const {
    std::vector<int64_t> extents;
    for (const Labels& group : groups) {
      Shape shape;
      for (const int label : group) shape.push_back(extents_.at(label));
      extents.push_back(is_static(shape) ? element_count(shape) : -1);
    }
    return extents;
  }

  /// A Reshape finds one extent by itself, unless there are no elements.
  bool can_fold(const std::vector<Labels>& groups) const {
    const auto extents = extents_of(groups);
    return std::count(extents.begin(), extents.end(), -1) <= 1 &&
           std::count(extents.begin(), extents.end(), 0) == 0;
  }

  ValueId append(const char* op_type, std::vector<ValueId> inputs) {
    const std::string name = graph_.value(einsum_.outputs[0]).name + "_" + op_type;
    Node& node = nodes_.emplace_back();
    node.op_type = op_type;
    node.name = name;
    node.inputs = std::move(inputs);
    node.outputs = {graph_.add_value(name)};
    return node.outputs[0];
  }

  ValueId transposed(ValueId x, const Labels& from, const Labels& to) {
    if (from == to) return x;
    std::vector<int64_t> perm;
    for (const int label : to) perm.push_back(std::find(from.begin(), from.end(), label) - from.begin());
    const ValueId y = append("Transpose", {x});
    nodes_.back().attributes["perm"] = std::move(perm);
    return y;
  }

  ValueId reshaped(ValueId x, const std::vector<Labels>& groups) {
    const auto extents = extents_of(groups);
    const ValueId shape =
        graph_.add_constant(graph_.value(einsum_.outputs[0]).name + "_shape",
                            Tensor::of<int64_t>({static_cast<int64_t>(extents.size())}, extents));
    return append("Reshape", {x, shape});
  }

  Graph& graph_;
  std::vector<Node>& nodes_;
  const Node& einsum_;
  std::map<int, int64_t> extents_;
};

}  // namespace

void einsum_to_matmul(Graph& graph) {
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    const bool is_product = node.op_type == "Einsum" && node.domain.empty() && node.inputs.size() == 2;
    if (!is_product || !Product(graph, nodes, node).write()) nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
}

}  // namespace quantize
