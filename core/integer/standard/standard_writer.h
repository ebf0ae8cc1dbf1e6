// The nodes that stand for one integer operator, written one by one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/graph.h"
#include "core/integer/quantized_operand.h"
#include "core/ops/op.h"

namespace quantize {

/// Appends nodes of ONNX's own domain. The last one makes the output of the integer operator and has its name.
class StandardWriter {
 public:
  using Attributes = std::map<std::string, Attribute>;

  /// `node` is an integer operator of `graph`, whose types and shapes are inferred.
  StandardWriter(Graph& graph, const Node& node, std::vector<Node>& nodes)
      : graph_(graph), node_(node), nodes_(nodes) {}

  const Node& node() const { return node_; }
  const Value& input(size_t i) const { return graph_.value(node_.input(i)); }
  const Value& output() const { return graph_.value(node_.outputs[0]); }
  const OpDef& definition() const { return find_op(graph_, node_); }
  int64_t opset() const { return graph_.opset_of(node_); }
  const Tensor* constant_input(size_t i) const { return graph_.constant(node_.input(i)); }

  /// Scales at input i and the zero points behind them. Errors: Error(kUnsupported) if they are computed.
  OperandParams params(size_t scale) const { return params(scale, scale + 1); }
  OperandParams params(size_t scale, size_t zero_point) const;
  /// The same of a whole tensor. Errors: Error(kUnsupported) also if there are several.
  ScalarParams scalar(size_t scale) const;

  ValueId constant(Tensor tensor);
  ValueId add(const std::string& op_type, std::vector<ValueId> inputs, DataType dtype,
              Attributes attributes = {});
  ValueId cast(ValueId value, DataType dtype);
  /// table[code], for each code as an unsigned byte. `table` has 256 elements.
  ValueId looked_up(ValueId codes, Tensor table);
  /// The codes at input i less their zero point, as s32.
  ValueId centred(size_t i, int32_t zero_point);

  /// The node that makes the output.
  void finish(const std::string& op_type, std::vector<ValueId> inputs, Attributes attributes = {});
  /// The output as codes: `steps` (f32) rounded, then `zero_point` added, then cut off.
  void finish_codes(ValueId steps, int32_t zero_point);

 private:
  Graph& graph_;
  const Node& node_;
  std::vector<Node>& nodes_;
};

/// Each writes what stands for the node of `writer`.
void spell_conv(StandardWriter& writer);
void spell_matmul(StandardWriter& writer);
void spell_gemm(StandardWriter& writer);
void spell_real_matmul(StandardWriter& writer);
void spell_add(StandardWriter& writer);
void spell_mul(StandardWriter& writer);
void spell_concat(StandardWriter& writer);
void spell_where(StandardWriter& writer);
void spell_function(StandardWriter& writer);
void spell_average_pool(StandardWriter& writer);
void spell_global_pool(StandardWriter& writer);

}  // namespace quantize
