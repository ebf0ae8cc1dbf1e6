// A small valid node of every operator, to be changed by a fuzz target. Read operator_examples first.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/ops/op.h"

namespace quantize::test {

/// A node that an operator computes, in words:
///
///   inputs       separated by spaces: "f32[2,3]" an input of the graph, "=f32[2,3]" a constant of random numbers,
///                "s64{1,2}", "f32(0.5)" and "f32[1,2]{3,4}" constants of these numbers, the second a scalar, "-" one
///                that is left out
///   attributes   separated by spaces: "axis=1", "alpha=0.5", "pads=[1,1]", "scales=[1.0]", "mode=linear",
///                "activations=[Tanh]", "value=f32{1,2}"
struct OperatorExample {
  const char* op_type;
  const char* inputs = "";
  const char* attributes = "";
  int oldest = 1, newest = 99;  // the opsets that it is valid in
  size_t outputs = 1;           // without those that a body stacks
};

/// The examples of an operator at this opset, at least one.
std::vector<OperatorExample> operator_examples(const OpDef& def, int opset);

/// The opsets at which an operator or its examples change, and the newest.
std::vector<int> opsets_to_try(const OpDef& def);

/// An input of a node, and what the tensor holds when the node runs.
struct Operand {
  Tensor tensor;  // empty: the node leaves the input out
  bool is_constant = false;
  std::optional<Shape> shape;  // of an input of the graph, as it is declared
};

/// The operands of an example.
std::vector<Operand> operands_of(const OperatorExample& example);

/// A tensor of small numbers, the same for the same type and shape.
Tensor small_numbers(DataType dtype, const Shape& shape);

/// A graph of one node, with its attributes and bodies, that reads these operands.
Graph graph_of(const OpDef& def, int opset, const OperatorExample& example,
               const std::vector<Operand>& operands);

}  // namespace quantize::test
