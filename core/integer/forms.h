// Which float operators become integer ones, and how. One table, in the .cpp: read IntegerForm, then the list. Where the
// scales of an integer operator stand is a part of its definition: slots_of (core/ops/op.h).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/graph.h"
#include "core/integer/exact_sums.h"
#include "core/ops/op.h"

namespace quantize {

/// The rule by which quantization treats an operator.
enum class QuantizationRule {
  kFloat,        // no integer form: stays float
  kWeighted,     // Conv, ConvTranspose, Gemm, MatMul: integer weights, s32 bias
  kArithmetic,   // scales of their own for inputs and output: Add, Mul, Concat, AveragePool, Sigmoid, ...
  kPassThrough,  // moves or selects elements: input and output share one scale
  kActivation,   // Relu, Clip: absorbed into the range of what comes before
};

/// How the operands of a float operator become those of its integer form (lower_to_qoperator).
enum class IslandShape {
  kConv,           // weights, s32 bias; may take over a function and a residual
  kConvTranspose,  // the same, as phases of a convolution
  kGemm,           // weights, s32 bias; the result may be real
  kMatMul,         // weights or a second activation; the result may be real
  kOperands,       // activations, in their order in the places that OpDef::slots says
};

/// An integer operator, and the float operator that it stands for.
struct IntegerForm {
  std::string_view op_type, domain = {};
  std::string_view float_type;  // of ONNX; the first form of a float operator is the one that makes codes
  IslandShape shape = IslandShape::kOperands;
  std::vector<std::string_view> attributes = {};  // all that it has of the float operator's
  bool (*differs)(const Node& node) = nullptr;    // true if one of them means something else to it here
  bool names_opset = false;         // its attribute "opset" says in which opset the float operator is meant
  std::vector<size_t> passed = {};  // inputs of the float operator that it reads as they are, no codes
  /// The bound of the sums of codes that it adds up of an input of this shape; nullptr: it adds up none.
  SumBound (*bound)(const Node& node, Dims x) = nullptr;
};

/// Who will run integer operators: our engine alone, or any runtime that reads the file. On codes others cut
/// off the fractions of a linear Resize (ONNX Runtime 1.32; half a step of bias), so for them it stays float.
enum class Runtime { kOwn, kAny };

/// The whole table.
std::span<const IntegerForm> integer_forms();

/// The integer operator that takes the place of a float node, or nullptr: it stays float or stands for itself on codes.
const IntegerForm* integer_form_of(const Node& float_node);

/// The rule of a float node. kFloat for an unknown operator and for a form that fills, since the codes of its input
/// cannot stand for the numbers it adds.
QuantizationRule quantization_of(const Graph& graph, const Node& node);

/// The activations of a float node that its integer form reads as codes; of an operator without one its first input,
/// or all where it goes element by element.
std::vector<ValueId> code_operands(const Graph& graph, const Node& float_node);

/// True if the node hands codes on: its output holds codes of its first input (of an operator of any number of inputs:
/// of any of them), selected or moved, and its order of codes is theirs.
bool hands_codes_on(const Graph& graph, const Node& node);

/// True if the float node stands for itself on codes in files for this runtime.
bool runs_on_codes(const Graph& graph, const Node& node, Runtime runtime);

/// True for a Resize that computes between elements.
bool blends(const Graph& graph, const Node& node);

/// True for an operator of ONNX or com.microsoft that computes on codes, whether the program computes it or not.
bool is_integer_operator(const Node& node);

/// True for one of the table of forms.
bool is_integer_form(const Node& node);

/// True for an operator that makes codes of ranges that each run finds, for itself or for others.
bool finds_ranges(const Node& node);

/// True for an integer operator whose result is codes: no sums of s32, no reals.
bool makes_codes(const Node& node);

/// True if the integer form of `node` computes the same between DequantizeLinear and QuantizeLinear: it knows every
/// attribute that the node has, and none of them means something else to it. True for operators that stand for
/// themselves on codes, as those that move elements do.
/// Source: the schemas of ONNX and onnxruntime ContribOperators; the meaning was tried with ONNX Runtime 1.32.
bool keeps_meaning_on_codes(const Node& node);

}  // namespace quantize
