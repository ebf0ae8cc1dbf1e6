// Which integer operator a float one becomes, and where the scales of integer operators stand. One table, in the .cpp:
// read IntegerForm, then the list.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/graph.h"
#include "core/ops/op.h"

namespace quantize {

/// How the operands of a float operator become those of its integer form (lower_to_qoperator).
enum class IslandShape {
  kNone,           // no float operator becomes it: Q, DQ, and what files alone have
  kConv,           // weights, s32 bias; may take over a function and a residual
  kConvTranspose,  // the same, as phases of a convolution
  kGemm,           // weights, s32 bias; the result may be real
  kMatMul,         // weights or a second activation; the result may be real
  kPair,           // two operands of codes
  kConcat,         // any number of operands of codes, behind the parameters of the result
  kFunction,       // one operand of codes
};

/// An integer operator, and the float operator that it stands for.
struct IntegerForm {
  std::string_view op_type;
  std::string_view domain;
  CodeSlots slots = {};      // of a node whose inputs are all there
  size_t repeats_every = 0;  // the last operand repeats after so many inputs; 0: it does not
  std::string_view float_type =
      {};  // of ONNX; the first form of a float operator is the one that makes codes
  IslandShape shape = IslandShape::kNone;
  std::vector<std::string_view> attributes = {};  // all that it has of the float operator's
  bool (*differs)(const Node& node) = nullptr;    // true if one of them means something else to it here
  bool names_opset = false;  // its attribute "opset" says in which opset the float operator is meant
};

/// The whole table.
std::span<const IntegerForm> integer_forms();

/// The integer operator that takes the place of a float node, or nullptr: it stays float or stands for itself on codes.
const IntegerForm* integer_form_of(const Node& float_node);

/// The operands of codes of an integer operator, QuantizeLinear or DequantizeLinear; none for other nodes.
CodeSlots slots_of(const Node& node);

/// True for an operator of ONNX or com.microsoft that computes on codes, whether the program computes it or not.
bool is_integer_operator(const Node& node);

/// True for one of the table whose result is real.
bool makes_reals(const Node& node);

/// True if the integer form of `node` computes the same between DequantizeLinear and QuantizeLinear: it knows every
/// attribute that the node has, and none of them means something else to it. True for operators that stand for
/// themselves on codes, as those that move elements do.
/// Source: the schemas of ONNX and onnxruntime ContribOperators; the meaning was tried with ONNX Runtime 1.32.
bool keeps_meaning_on_codes(const Node& node);

/// Removes the attributes that the integer form does not know and that change nothing as they stand.
void drop_idle_attributes(Node& node);

}  // namespace quantize
