// Writes the nodes that a mode makes of one node.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "core/graph.h"
#include "core/quantization/plan.h"

namespace quantize {

inline constexpr const char* kMicrosoftDomain = "com.microsoft";

/// Adds nodes to the end of a graph that is being written. What several nodes can read is written once.
class NodeWriter {
 public:
  explicit NodeWriter(Graph& result) : result_(result) {}

  /// Adds a node as it is. Its domain and opset are imported.
  void push(Node node);
  /// Adds a node of one output, and returns that. The node has the output's name.
  ValueId add(const std::string& op_type, std::vector<ValueId> inputs, const std::string& name,
              DataType dtype, std::optional<Shape> shape, std::map<std::string, Attribute> attributes = {});
  ValueId constant(const std::string& name, Tensor tensor);
  /// A constant that broadcasts to one number per column, as a vector. Requires: row_of has it.
  ValueId row(ValueId constant, int64_t columns);

  /// The node with the bias that StoredWeights::shift wants, if it wants any. Requires: row_of has the node's own.
  Node corrected(Node node, const StoredWeights& stored);

  /// What DequantizeLinear makes of the codes stored for a constant.
  ValueId dequantized(ValueId constant, const StoredWeights& stored);

  /// Codes of a value with a scale and zero point that each run takes from it.
  struct Dynamic {
    ValueId codes, scale, zero_point;
  };
  const Dynamic& dynamic(ValueId real);

  const std::string& name_of(ValueId id) const { return result_.value(id).name; }
  const std::optional<Shape>& shape_of(ValueId id) const { return result_.value(id).shape; }
  const Tensor& tensor_of(ValueId id) const { return result_.value(id).initializer; }

 private:
  Graph& result_;
  std::map<std::tuple<ValueId, int64_t, DataType>, ValueId> dequantized_;  // by constant, axis and type
  std::map<ValueId, Dynamic> dynamic_;
};

}  // namespace quantize
