// The definition of an operator: one OpDef per op_type, each in its own file under core/ops.
// Read OpDef first.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "core/engine/storage.h"
#include "core/graph.h"
#include "core/ops/weight_layout.h"
#include "kernels/kernel_table.h"

namespace quantize {

/// The domain of the operators that only the engine makes: LookupTable, FusedConv, ToPixels, ToRowMajor. They
/// rely on what the passes that make them have checked; no file may have one.
constexpr const char* kEngineDomain = "quantize";

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

/// One execution: everything an operator computes with. Outputs have the type and shape that inference gave
/// them.
struct EvaluateContext {
  const Node& node;
  int64_t opset;
  const KernelTable& kernels;
  std::span<const TensorView> inputs;  // empty views for inputs that are left out
  std::span<const MutableTensorView> outputs;
  std::span<std::byte> scratch;           // what CompileContext::scratch_bytes asked for; 64-byte aligned
  size_t chunk_begin = 0, chunk_end = 1;  // the part of the work to do now, of CompileContext::chunks

  TensorView input(size_t i) const { return i < inputs.size() ? inputs[i] : TensorView{}; }
};

/// Input of `compile`: the node with all shapes static, and the clamp that the engine fused behind it.
struct CompileContext {
  const Graph& graph;
  const Node& node;
  int64_t opset;
  const KernelTable& kernels;
  float low = -std::numeric_limits<float>::infinity();  // clamp of the output: a fused Relu or Clip
  float high = std::numeric_limits<float>::infinity();
  int threads = 1;           // that will share each step
  size_t scratch_bytes = 0;  // set by compile: bytes of scratch memory each call needs
  /// Set by compile: into how many independent chunks the step can be split. The step function is then called
  /// for ranges of them that together are [0, chunks), from several threads at once, each with scratch memory
  /// of its own; the output must not depend on the ranges.
  size_t chunks = 1;
  /// Set by compile: true if the step has its weights (OpDef::weight_input) packed and reads them nowhere
  /// else. Then the program lets go of the original.
  bool weights_packed = false;
  std::span<const Storage> storage = {};  // how each value lies in memory; empty: all row-major

  /// A number of chunks for a step that takes one thread about `microseconds` and can be cut into `units`
  /// equal parts: enough that threads can help each other out, each worth being handed over.
  size_t chunks_for(int64_t units, double microseconds) const {
    const double most = std::min({static_cast<double>(units), microseconds / 10, 6.0 * threads});
    return threads <= 1 || most < 2 ? 1 : static_cast<size_t>(most);
  }

  const Shape& shape(size_t input) const { return *graph.value(node.inputs[input]).shape; }
  const Shape& output_shape(size_t i = 0) const { return *graph.value(node.outputs[i]).shape; }
  const Tensor* constant(size_t i) const { return graph.constant(node.input(i)); }
  const Storage& storage_of(ValueId id) const { return storage[static_cast<size_t>(id)]; }
  /// True if a value lies as pixels.
  bool is_pixels(ValueId id) const { return !storage.empty() && id != kNoValue && storage_of(id).pixels; }
};

/// The part of `units` that [chunk_begin, chunk_end) of `chunks` stands for.
struct UnitRange {
  int64_t begin, end;
};
inline UnitRange units_of(const EvaluateContext& context, int64_t units, size_t chunks) {
  const auto at = [&](size_t chunk) {
    return units * static_cast<int64_t>(chunk) / static_cast<int64_t>(chunks);
  };
  return {at(context.chunk_begin), at(context.chunk_end)};
}

/// A compiled operator: attributes decoded, weights packed. Must be safe to call from several threads.
using StepFunction = std::function<void(const EvaluateContext&)>;

/// The rule by which quantization treats an operator.
enum class QuantizationRule {
  kFloat,        // no integer form: stays float
  kWeighted,     // Conv, ConvTranspose, Gemm, MatMul: integer weights, int32 bias
  kArithmetic,   // own scales on inputs and output: Add, Mul, Concat, AveragePool, Sigmoid, ...
  kPassThrough,  // moves or selects elements: input and output share one scale
  kActivation,   // Relu, Clip: absorbed into the range of what comes before
};

/// How an operator takes u8 images [N, C, H, W] that lie as pixels (core/engine/storage.h).
struct PixelSupport {
  /// True if `compile` takes all u8 images among this node's computed inputs and outputs as pixels.
  bool (*takes)(const Graph& graph, const Node& node);
  /// True if either layout costs it the same: then it gets the layout of its neighbours.
  bool follows = false;
  /// The border that must be in memory around the first input, and its code, or one per channel; nullptr:
  /// none.
  struct Border {
    Halo halo;
    std::vector<uint8_t> codes;
  };
  Border (*border)(const Graph& graph, const Node& node) = nullptr;
  /// True if input i stands unchanged among the channels of the output, at the place that the channels of the
  /// inputs before it leave: then whoever computes it may write it there. nullptr: never.
  bool (*joins)(const Graph& graph, const Node& node, size_t input) = nullptr;
  /// True if the outputs are the channels of the input, one output after the other: then nothing is computed.
  bool splits = false;
  /// Inputs whose bytes the output may take over: the step reads an element before it writes the one at its
  /// place.
  std::vector<size_t> overwrites = {};
};

/// Where a node has an operand of codes: the inputs that hold it, its scale and its zero point.
struct CodeOperand {
  size_t codes, scale, zero_point;
};

/// The operands of codes of an operator, and the scale of the codes that it makes; the zero point of these
/// stands behind it. Every zero point may be left out: then it is 0.
struct CodeSlots {
  std::vector<CodeOperand> operands;
  size_t y_scale = kAnyNumber;  // kAnyNumber: no codes are made

  bool is_zero_point(size_t input) const {
    return (y_scale != kAnyNumber && input == y_scale + 1) ||
           std::any_of(operands.begin(), operands.end(),
                       [&](const CodeOperand& operand) { return operand.zero_point == input; });
  }
};

/// An operator: arity, opsets, meaning, traits, and the step that runs it fast. Found by find_op.
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

  /// Read it through quantization_of, which knows the node too.
  QuantizationRule quantization = QuantizationRule::kFloat;

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

  /// True if nothing but the shape changes: where the output takes over the input's bytes, nothing is done.
  bool keeps_order = false;

  /// True if the output is the sum or difference of the inputs.
  bool sums = false;

  /// True if nothing but the shape of the first input is read: its data may be missing then.
  bool reads_shape_only = false;

  /// A faster form of `evaluate`, made once per Program; nullptr: evaluate is the step.
  StepFunction (*compile)(CompileContext& context) = nullptr;

  /// True if `compile` applies CompileContext::low and high.
  bool fuses_clamp = false;

  /// True if each element of the output is a function of the elements at its place in the inputs.
  bool elementwise = false;

  PixelSupport pixels = {.takes = nullptr};

  /// Where a node has scales and zero points; nullptr for operators that read none.
  CodeSlots (*code_slots)(const Node& node) = nullptr;
};

/// The definition that reads `node` in a model of these opsets.
/// Errors: Error(kUnsupported) naming the operator, its domain and opset, and what to do.
const OpDef& find_op(const Graph& graph, const Node& node);

/// The same, or nullptr.
const OpDef* try_find_op(const Graph& graph, const Node& node);

/// True for a node of a form that fills: OpDef::fills.
bool fills(const Graph& graph, const Node& node);

/// The rule of the node's operator. kFloat for an unknown operator and for a form that fills, since the codes
/// of its input cannot stand for the numbers it adds.
QuantizationRule quantization_of(const Graph& graph, const Node& node);

}  // namespace quantize
