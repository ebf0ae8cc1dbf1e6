// Writes the nodes that a mode makes of one node.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "core/graph.h"
#include "core/quantization/plan.h"

namespace quantize {

/// Bytes of the nodes and constants that unpack codes and look them up, as files have them, names included.
inline constexpr uint64_t kLookUpBytes = 500;

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

  /// The reals that stored weights stand for, made of their codes once.
  ValueId reals_of(ValueId constant, const StoredWeights& stored);
  /// The codes themselves, of their type in files. Requires: no levels.
  ValueId coded(const std::string& name, const StoredWeights& stored);
  /// Codes of s8 that are written in so many bits, and unpacked. Requires: they hold the codes.
  ValueId unpacked_codes(const std::string& name, const Tensor& codes, int64_t bits);

  /// Codes of a value with a scale and zero point that each run takes from it.
  struct Dynamic {
    ValueId codes, scale, zero_point;
  };
  const Dynamic& dynamic(ValueId real);

  const std::string& name_of(ValueId id) const { return result_.value(id).name; }
  const std::optional<Shape>& shape_of(ValueId id) const { return result_.value(id).shape; }
  const Tensor& tensor_of(ValueId id) const { return result_.value(id).initializer; }

 private:
  ValueId dequantized(const std::string& name, ValueId codes, const StoredWeights& stored);
  ValueId looked_up(const std::string& name, const StoredWeights& stored);
  /// A place in a table for each of the codes, which are u8.
  ValueId places(const std::string& name, const Tensor& codes, int64_t bits);
  ValueId unpacked(const std::string& name, const Tensor& codes, int64_t bits);
  void raise_opset(int64_t least);
  /// A constant that is written once.
  ValueId shared(const std::string& name, Tensor tensor);
  /// A node of unpacking: under a short name, of a type that readers infer, so that files stay small.
  ValueId step(const std::string& op_type, std::vector<ValueId> inputs,
               std::map<std::string, Attribute> attributes = {});
  /// The first elements of `count`, in a shape.
  ValueId reshaped(ValueId value, int64_t count, const Shape& to);

  Graph& result_;
  std::map<std::tuple<ValueId, int64_t, DataType, int64_t>, ValueId>
      reals_;  // by constant, axis, type and bits
  std::map<std::string, ValueId> shared_;
  size_t steps_ = 0;
  std::map<ValueId, Dynamic> dynamic_;
};

}  // namespace quantize
