// Read Narrowing::take() first.
#include "core/passes/narrow_doubles.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/passes/shape_inference.h"

namespace quantize {

namespace {

/// The number by which the attribute `to` of a Cast names a type. Source: ONNX TensorProto.DataType.
enum CastType : int64_t { kToF32 = 1, kToF64 = 11 };

class Narrowing {
 public:
  explicit Narrowing(Graph& graph) : graph_(graph), inference_(graph) {}

  std::vector<std::string> run() {
    const std::vector<Node> source = std::move(graph_.nodes);
    for (const Node& node : source) with_context([&] { return describe(graph_, node); }, [&] { take(node); });
    graph_.nodes = std::move(nodes_);
    return std::move(names_);
  }

 private:
  /// The operator's own inference says whether it takes f64.
  void take(Node node) {
    const std::optional<Error> refusal = refusal_of(node);
    if (!refusal) return nodes_.push_back(std::move(node));
    const bool reads_double =
        std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return is_double(id); });
    if (!reads_double || node.has_bodies()) throw *refusal;
    names_.push_back(node.name.empty() ? graph_.value(node.outputs[0]).name : node.name);
    for (ValueId& id : node.inputs)
      if (is_double(id)) id = in_f32(id);
    if (refusal_of(node)) throw *refusal;
    std::vector<std::pair<ValueId, ValueId>> results;  // as f32, and as f64
    for (ValueId& id : node.outputs) {
      if (id == kNoValue || graph_.value(id).dtype != DataType::kF32) continue;
      const ValueId narrow =
          graph_.add_value(graph_.value(id).name + "_f32", DataType::kF32, graph_.value(id).shape);
      results.emplace_back(narrow, id);
      id = narrow;
    }
    nodes_.push_back(std::move(node));
    for (const auto& [narrow, wide] : results) {
      add_cast(narrow, wide, kToF64);
      in_f32_[wide] = narrow;
    }
  }

  std::optional<Error> refusal_of(Node& node) {
    try {
      inference_.infer(node);
      return std::nullopt;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kUnsupported) throw;
      return error;
    }
  }

  bool is_double(ValueId id) const {
    return id != kNoValue && (graph_.value(id).is_constant() ? graph_.value(id).initializer.dtype()
                                                             : graph_.value(id).dtype) == DataType::kF64;
  }

  ValueId in_f32(ValueId id) {
    const auto [found, is_new] = in_f32_.try_emplace(id, kNoValue);
    if (is_new) {
      found->second = graph_.add_value(graph_.value(id).name + "_f32");
      add_cast(id, found->second, kToF32);
    }
    return found->second;
  }

  void add_cast(ValueId from, ValueId to, int64_t type) {
    Node cast;
    cast.op_type = "Cast";
    cast.name = graph_.value(to).name + "_cast";
    cast.inputs = {from};
    cast.outputs = {to};
    cast.attributes["to"] = type;
    inference_.infer(cast);
    nodes_.push_back(std::move(cast));
  }

  Graph& graph_;
  ShapeInference inference_;
  std::vector<Node> nodes_;
  std::vector<std::string> names_;
  std::map<ValueId, ValueId> in_f32_;  // values of f64, and the same as f32
};

}  // namespace

std::vector<std::string> narrow_doubles(Graph& graph) {
  return Narrowing(graph).run();
}

}  // namespace quantize
