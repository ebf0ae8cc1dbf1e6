// The definition of an operator: one OpDef per op_type, each in its own file under core/ops.
// Read OpDef first.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "core/graph.h"
#include "core/ops/weight_layout.h"

namespace quantize {

struct KernelTable;

/// The domain of the operators that only the engine makes: LookupTable, FusedConv, ToPixels, ToRowMajor. They
/// rely on what the passes that make them have checked; no file may have one.
constexpr const char* kEngineDomain = "quantize";

/// The range of opsets of ONNX's own domain that models may have.
constexpr int kOldestOpset = 7, kNewestOpset = 28;

/// Element type and, as far as it is known, shape.
struct TensorType {
  DataType dtype = DataType::kUndefined;
  std::optional<Shape> shape;
};

/// Input and output of an operator's shape inference. Errors thrown from it get the node as context.
class InferContext {
 public:
  InferContext(const Graph& graph, const Node& node, const std::vector<std::optional<Shape>>& known_values);

  const Node& node;
  int64_t opset;  // of the node's domain

  size_t input_count() const { return node.inputs.size(); }
  bool has_input(size_t i) const { return node.input(i) != kNoValue; }
  /// Type of input i; dtype kUndefined if it is absent or not known yet.
  TensorType input(size_t i) const;
  /// Shape of input i, or nothing if it is absent or its rank is unknown.
  std::optional<Shape> shape(size_t i) const { return input(i).shape; }
  /// The constant behind input i, or nullptr.
  const Tensor* constant(size_t i) const;
  /// The elements of input i, a small integer tensor, as far as they are known: kUnknownElement for the
  /// others; nothing if not even their number is known. Constants are fully known; shape chains partly.
  std::optional<std::vector<int64_t>> integers(size_t i) const;
  /// The same, or nothing if any element is unknown.
  std::optional<std::vector<int64_t>> all_integers(size_t i) const;

  void set_output(size_t i, DataType dtype, std::optional<Shape> shape);
  const std::vector<TensorType>& outputs() const { return outputs_; }

  /// For operators that know elements of output 0 without reading an input: kUnknownElement for the others.
  void set_elements(std::vector<int64_t> elements) { elements_ = std::move(elements); }
  const std::optional<std::vector<int64_t>>& elements() const { return elements_; }

 private:
  const Graph& graph_;
  const std::vector<std::optional<Shape>>& known_values_;
  std::vector<TensorType> outputs_;
  std::optional<std::vector<int64_t>> elements_;
};

/// Marks an element of an integer tensor that is not known before the program runs.
constexpr int64_t kUnknownElement = std::numeric_limits<int64_t>::min();

/// OpDef::max_inputs and max_outputs of operators that take any number.
constexpr size_t kAnyNumber = std::numeric_limits<size_t>::max();

/// One evaluation: everything an operator computes with. Outputs have the type and shape that inference gave
/// them.
struct EvaluateContext {
  const Node& node;
  int64_t opset;
  const KernelTable& kernels;
  std::span<const TensorView> inputs;  // empty views for inputs that are left out
  std::span<const MutableTensorView> outputs;

  TensorView input(size_t i) const { return i < inputs.size() ? inputs[i] : TensorView{}; }
};

/// Where a node has an operand of codes: the inputs that hold it, its scale and its zero point.
struct CodeOperand {
  size_t codes, scale, zero_point;
};
/// The usual order: the codes, their scale, their zero point.
constexpr CodeOperand operand_at(size_t codes) {
  return {codes, codes + 1, codes + 2};
}

/// The operands of codes of an operator, and the scale of the codes that it makes; the zero point of these
/// stands behind it. Every zero point may be left out: then it is 0.
struct CodeSlots {
  std::vector<CodeOperand> operands = {};
  size_t y_scale = kAnyNumber;  // kAnyNumber: no codes are made
  size_t repeats_every = 0;     // the last operand repeats after so many inputs; 0: it does not

  /// The same for a node of so many operands.
  CodeSlots repeated(size_t count) const {
    CodeSlots slots = *this;
    while (repeats_every != 0 && slots.operands.size() < count) {
      const CodeOperand& last = slots.operands.back();
      slots.operands.push_back(
          {last.codes + repeats_every, last.scale + repeats_every, last.zero_point + repeats_every});
    }
    return slots;
  }
  bool is_scale(size_t input) const {
    return (y_scale != kAnyNumber && input == y_scale) ||
           std::any_of(operands.begin(), operands.end(),
                       [&](const CodeOperand& operand) { return operand.scale == input; });
  }
  bool is_zero_point(size_t input) const {
    return (y_scale != kAnyNumber && input == y_scale + 1) ||
           std::any_of(operands.begin(), operands.end(),
                       [&](const CodeOperand& operand) { return operand.zero_point == input; });
  }
};

/// An operator: arity, opsets, meaning, traits. Found by find_op.
struct OpDef {
  const char* op_type;
  const char* domain;  // "" is ONNX's own
  int min_opset;       // of that domain: the oldest and newest version this definition reads
  int max_opset;

  /// How many inputs and outputs a node may have. The first min_inputs inputs, but for zero points, and the
  /// first output must be there; infer and evaluate rely on it.
  size_t min_inputs = 1, max_inputs = 1, max_outputs = 1;

  /// Sets the type and shape of every output, as far as they follow from the inputs.
  void (*infer)(InferContext& context);

  /// The reference: reads inputs, writes outputs, takes no thread, keeps no state. All shapes are static, and
  /// at least one output has elements.
  void (*evaluate)(const EvaluateContext& context);

  /// For operators that move elements: true if a node of this form also puts numbers into its output that its
  /// input does not have. nullptr: none does.
  bool (*fills)(const Node& node, int64_t opset) = nullptr;

  /// How an operator with weights lays out its input `weight_input` of this shape (extents known); nothing
  /// for a form that cannot be seen so. nullptr for all other operators.
  std::optional<WeightLayout> (*weight_layout)(const Node& node, Dims shape) = nullptr;

  /// Which input weight_layout is about.
  size_t weight_input = 1;

  /// True if every element of the output is one of the first input's (with any number of inputs: one of any
  /// input's), only placed anew: lets shape inference see through it.
  bool moves_data = false;

  /// True if every element of the output is one of the first input's, or lies between some of them: its codes
  /// are had of the input's codes.
  bool selects = false;

  /// True if each channel (axis 1) of the output is computed of that channel of the first input alone, and
  /// c > 0 times as much comes of c times as much.
  bool scales_by_channel = false;

  /// True if nothing but the shape changes: where the output takes over the input's bytes, nothing is done.
  bool keeps_order = false;

  /// True if the output is the sum or difference of the inputs.
  bool sums = false;

  /// True if nothing but the shape of the first input is read: its data may be missing then.
  bool reads_shape_only = false;

  /// True if the bytes of elements are read as such, so that a value may not change its type.
  bool reads_bits = false;

  /// True if each element of the output is a function of the elements at its place in the inputs.
  bool elementwise = false;

  /// Where a node whose inputs are all there has codes, scales and zero points. Read it through slots_of.
  CodeSlots slots = {};
};

/// The definition that reads `node` in a model of these opsets.
/// Errors: Error(kUnsupported) naming the operator, its domain and opset, and what to do.
const OpDef& find_op(const Graph& graph, const Node& node);

/// The same, or nullptr.
const OpDef* try_find_op(const Graph& graph, const Node& node);

/// True for a node of a form that fills: OpDef::fills.
bool fills(const Graph& graph, const Node& node);

/// The operands of codes that this node has; none for operators on reals. (The places of an operator's inputs
/// do not depend on the opset.)
CodeSlots slots_of(const Node& node);

}  // namespace quantize
