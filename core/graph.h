// The graph: values, nodes and the model around them. Plain value types; edges are integer ids.
// Read Graph first, then validate().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/tensor.h"

namespace quantize {

/// Index into Graph::values. kNoValue stands for an optional input or output that is left out.
using ValueId = int32_t;
constexpr ValueId kNoValue = -1;

/// Index into Graph::nodes; changes when nodes are removed or reordered.
using NodeId = int32_t;
constexpr NodeId kNoNode = -1;

/// One tensor of the graph: a graph input, an initializer, or what a node computes.
struct Value {
  std::string name;                       // unique and not empty
  DataType dtype = DataType::kUndefined;  // kUndefined until shape inference
  std::optional<Shape> shape;             // nothing: not even the rank is known
  std::vector<std::string>
      dim_names;       // empty, or one per extent: the symbol of an unknown one ("N"), else ""
  Tensor initializer;  // set exactly for constants
  std::string doc_string;

  bool is_constant() const { return static_cast<bool>(initializer); }
};

struct Graph;

/// The body of a node of control flow, never null; copies of the node share it. Its inputs are those that the
/// operator gives it, and behind them the values that it captures: see Node::captures. Its opsets are those of the
/// graph around it.
using Body = std::shared_ptr<const Graph>;

/// An attribute's value. Tensors are held as Tensor.
using Attribute = std::variant<int64_t, float, std::string, Tensor, std::vector<int64_t>, std::vector<float>,
                               std::vector<std::string>, Body>;

/// One operator call.
struct Node {
  std::string op_type;
  std::string domain;  // "" is ONNX's own ("ai.onnx" is read as "")
  std::string name;    // may be empty; describe() then uses the first output
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::map<std::string, Attribute> attributes;
  std::string doc_string;
  /// The last so many inputs are values of the graph around that the node's bodies read: every body has all of them,
  /// in this order, as its own last inputs. A file has them by name alone.
  size_t captures = 0;

  ValueId input(size_t i) const { return i < inputs.size() ? inputs[i] : kNoValue; }
  ValueId output(size_t i) const { return i < outputs.size() ? outputs[i] : kNoValue; }

  /// The attribute, or `fallback` where the node has none.
  /// Errors: Error(kInvalidModel) if it has another type.
  int64_t int_attribute(const std::string& key, int64_t fallback) const;
  float float_attribute(const std::string& key, float fallback) const;
  std::string string_attribute(const std::string& key, const std::string& fallback) const;
  std::vector<int64_t> ints_attribute(const std::string& key, const std::vector<int64_t>& fallback) const;
  std::vector<float> floats_attribute(const std::string& key, const std::vector<float>& fallback) const;
  /// nullptr where the node has none.
  const Tensor* tensor_attribute(const std::string& key) const;
  bool has_attribute(const std::string& key) const { return attributes.count(key) != 0; }
  /// The body of this name, which must be there. Errors: Error(kInvalidModel) if it is not.
  const Graph& body(const std::string& key) const;
  /// True for If, Loop, Scan: nodes that run bodies.
  bool has_bodies() const;
  /// Replaces every body by what `change` makes of a copy of it.
  void change_bodies(const std::function<void(Graph& body)>& change);
};

/// A graph input that no output depends on. It is not run; it is written again for those who feed it by name.
struct UnreadInput {
  std::string name;         // that of no Value
  size_t position;          // among all inputs of the file that are no initializers
  std::string declaration;  // of any type, also none that Value can hold: ONNX's ValueInfoProto, serialized
};

/// Facts of an ONNX file about itself; carried from the source to the output.
struct ModelInfo {
  int64_t ir_version = 8;
  std::string producer_name, producer_version, domain, doc_string, graph_doc_string;
  int64_t model_version = 0;
  std::map<std::string, int64_t> opsets;  // domain -> version; "" is ONNX's own
  std::map<std::string, std::string> metadata;
  std::vector<UnreadInput> unread_inputs;  // by position
  std::vector<DataType> widened_from;  // f16 and bf16, if the file has them: the graph has f32 in their place

  bool has_unread_input(const std::string& name) const;
};

/// A model. Invariants are those of validate(). Values that nothing refers to may stay in `values` (ids are
/// stable); they are not part of the model and are not written.
struct Graph {
  std::string name;
  ModelInfo info;
  std::vector<Value> values;
  std::vector<Node> nodes;      // in topological order
  std::vector<ValueId> inputs;  // without the initializers
  std::vector<ValueId> outputs;

  int64_t opset() const;  // version of ONNX's own domain; 0 if the model imports none
  int64_t opset_of(
      const Node& node) const;  // version of the node's domain; 1 if the model does not import it

  Value& value(ValueId id) { return values[static_cast<size_t>(id)]; }
  const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }

  /// The constant behind an input of a node, or nullptr if it is absent or computed.
  const Tensor* constant(ValueId id) const {
    return id != kNoValue && value(id).is_constant() ? &value(id).initializer : nullptr;
  }

  /// A new value whose name is `name`, or `name_1`, `name_2`, ... if that is taken.
  ValueId add_value(const std::string& name, DataType dtype = DataType::kUndefined,
                    std::optional<Shape> shape = std::nullopt);
  ValueId add_constant(const std::string& name, Tensor tensor);

  /// The id of the value called `name`, or kNoValue. Linear: for options and tests, not for loops.
  ValueId find_value(const std::string& name) const;
};

/// Who makes and who reads each value; made once per pass, stale as soon as nodes change.
struct GraphIndex {
  struct Use {
    NodeId node;
    size_t input;  // position among the node's inputs
  };
  explicit GraphIndex(const Graph& graph);
  NodeId producer(ValueId id) const {
    return producers[static_cast<size_t>(id)];
  }  // kNoNode: input or constant
  const std::vector<Use>& uses(ValueId id) const { return readers[static_cast<size_t>(id)]; }
  bool is_output(ValueId id) const { return graph_output[static_cast<size_t>(id)]; }
  /// True if exactly one node input reads the value and it is no graph output.
  bool single_use(ValueId id) const { return uses(id).size() == 1 && !is_output(id); }

  std::vector<NodeId> producers;
  std::vector<std::vector<Use>> readers;
  std::vector<bool> graph_output;
};

/// Checks: ids in range, every value made once and before it is read, inputs and constants not made by nodes,
/// names unique and not empty, at least one output. O(size of the graph).
/// Errors: Error(kInvalidModel) naming the node or value.
void validate(const Graph& graph);

/// Sorts the nodes topologically (stable). Errors: Error(kInvalidModel) if there is a cycle, naming a node on
/// it.
void sort_topologically(Graph& graph);

/// Makes every use of `from` (node inputs and graph outputs) a use of `to`.
void replace_uses(Graph& graph, ValueId from, ValueId to);

/// "node 'conv1' (Conv, opset 13)": the frame of context of an error in a node.
std::string describe(const Graph& graph, const Node& node);

}  // namespace quantize
