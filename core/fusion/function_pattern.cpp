// Collecting the operators behind a value, and comparing what they compute. Read function_behind() first.
#include "core/fusion/function_pattern.h"

#include <algorithm>
#include <cmath>

#include "core/fusion/patterns.h"
#include "core/ops/op.h"
#include "core/passes/passes.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

/// More operators than the longest spelling of a known function has.
constexpr size_t kMostNodes = 10;

/// Operators that are a function of one value, element by element.
class Spelling {
 public:
  Spelling(const Graph& graph, const GraphIndex& index, ValueId start)
      : graph_(graph), index_(index), values_{start} {}

  const std::vector<NodeId>& nodes() const { return nodes_; }
  ValueId end() const { return values_.back(); }

  /// Takes the next operator in; false if there is none, or it is none of the kind.
  bool grow() {
    NodeId next = kNoNode;
    for (ValueId id : values_)
      for (const GraphIndex::Use& use : index_.uses(id))
        if (!contains(nodes_, use.node) && (next == kNoNode || use.node < next)) next = use.node;
    if (next == kNoNode || nodes_.size() == kMostNodes) return false;
    const Node& node = graph_.nodes[static_cast<size_t>(next)];
    if (!is_function_of_value(node)) return false;
    nodes_.push_back(next);
    values_.push_back(node.outputs[0]);
    return true;
  }

  /// True if nothing else reads the values in front of the end.
  bool is_closed() const {
    return std::all_of(values_.begin(), values_.end() - 1, [&](ValueId id) {
      const auto& uses = index_.uses(id);
      return !index_.is_output(id) && std::all_of(uses.begin(), uses.end(), [&](const GraphIndex::Use& use) {
        return contains(nodes_, use.node);
      });
    });
  }

 private:
  template <typename T>
  static bool contains(const std::vector<T>& list, T item) {
    return std::find(list.begin(), list.end(), item) != list.end();
  }

  bool is_function_of_value(const Node& node) const {
    const bool changes_type = node.op_type == "QuantizeLinear" || node.op_type == "Cast";
    const OpDef* def = try_find_op(graph_, node);
    if (changes_type || def == nullptr || !def->elementwise || node.outputs.size() != 1) return false;
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      if (id == kNoValue || contains(values_, id)) return true;
      const Tensor* constant = graph_.constant(id);
      return constant != nullptr && broadcasts_as_scalar(graph_, *constant, values_[0]);
    });
  }

  const Graph& graph_;
  const GraphIndex& index_;
  std::vector<ValueId> values_;
  std::vector<NodeId> nodes_;
};

/// A LeakyRelu nearer to the identity or to Relu than that could be either: x + 1e-5 is none.
constexpr float kLeastBend = 1e-4f;

/// The function with these values at these arguments.
std::optional<FunctionPattern> recognize(const Tensor& arguments, const Tensor& values, float tolerance) {
  const float *x = arguments.data<float>(), *y = values.data<float>();
  for (Function function : kFunctions) {
    const float alpha = function == Function::kLeakyRelu ? y[0] / x[0] : 0;
    if (function == Function::kLeakyRelu && !(alpha > kLeastBend && alpha < 1 - kLeastBend)) continue;
    const auto is_near = [&](int64_t i) {
      const float error = std::abs(function_value(function, alpha, x[i]) - y[i]);
      return error <= tolerance * std::max(1.0f, std::abs(x[i]));
    };
    int64_t i = 0;
    while (i < arguments.size() && is_near(i)) ++i;
    if (i == arguments.size()) return FunctionPattern{function, alpha, {}};
  }
  return std::nullopt;
}

}  // namespace

std::optional<FunctionPattern> function_behind(const Graph& graph, const GraphIndex& index, ValueId value,
                                               float tolerance) {
  constexpr int64_t kArguments = 96;
  std::optional<FunctionPattern> found;
  for (Spelling spelling(graph, index, value); spelling.grow();) {
    if (!spelling.is_closed()) continue;
    Tensor x(DataType::kF32, {kArguments});
    for (int64_t i = 0; i < kArguments; ++i)
      x.mutable_data<float>()[i] = static_cast<float>(i - 48) / 4 - 0.1f;
    const Tensor y = evaluate_chain(graph, index, value, spelling.end(), x);
    if (y.dtype() != DataType::kF32 || y.size() != kArguments) return found;
    if (auto function = recognize(x, y, tolerance)) {
      found = std::move(function);
      found->nodes = spelling.nodes();
    }
  }
  return found;
}

}  // namespace quantize
