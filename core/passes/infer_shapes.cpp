// Shape inference: one walk over the nodes in order. Small integer tensors (shape chains) are evaluated along
// the way as far as their elements are known.
#include <algorithm>

#include "core/ops/op_registry.h"
#include "core/passes/passes.h"
#include "core/passes/shape_inference.h"

namespace quantize {

InferContext::InferContext(const Graph& graph, const Node& n,
                           const std::vector<std::optional<Shape>>& known_values)
    : node(n),
      opset(graph.opset_of(n)),
      graph_(graph),
      known_values_(known_values),
      outputs_(n.outputs.size()) {}

TensorType InferContext::input(size_t i) const {
  if (!has_input(i)) return {};
  const Value& value = graph_.value(node.inputs[i]);
  if (value.is_constant()) return {value.initializer.dtype(), value.initializer.shape()};
  return {value.dtype, value.shape};
}

const Tensor* InferContext::constant(size_t i) const {
  return graph_.constant(node.input(i));
}

std::optional<std::vector<int64_t>> InferContext::integers(size_t i) const {
  if (!has_input(i)) return std::nullopt;
  return known_values_[static_cast<size_t>(node.inputs[i])];
}

std::optional<std::vector<int64_t>> InferContext::all_integers(size_t i) const {
  auto elements = integers(i);
  // A constant may hold the number that marks unknown elements: "from the very start" in a Slice.
  const bool complete = !elements || constant(i) != nullptr ||
                        std::find(elements->begin(), elements->end(), kUnknownElement) == elements->end();
  return complete ? elements : std::nullopt;
}

void InferContext::set_output(size_t i, DataType dtype, std::optional<Shape> shape) {
  if (i < outputs_.size()) outputs_[i] = {dtype, std::move(shape)};
}

namespace {

constexpr int64_t kMaxKnownElements = 64;

bool is_small_integer(DataType dtype, const std::optional<Shape>& shape) {
  return (dtype == DataType::kS64 || dtype == DataType::kS32) && shape && is_static(*shape) &&
         element_count(*shape) <= kMaxKnownElements;
}

Tensor make_integer_tensor(DataType dtype, const Shape& shape, const std::vector<int64_t>& elements) {
  Tensor tensor(dtype, shape);
  for (size_t i = 0; i < elements.size(); ++i) {
    if (dtype == DataType::kS64) tensor.mutable_data<int64_t>()[i] = elements[i];
    if (dtype == DataType::kS32) tensor.mutable_data<int32_t>()[i] = static_cast<int32_t>(elements[i]);
  }
  return tensor;
}

/// Input i as a tensor, if all its elements are known or it is data that `def` only moves; nothing otherwise.
std::optional<Tensor> known_input(const InferContext& context, const OpDef& def, size_t i) {
  if (!context.has_input(i)) return Tensor();
  if (const Tensor* constant = context.constant(i)) return *constant;
  const TensorType type = context.input(i);
  const bool is_moved =
      def.moves_data && type.dtype == DataType::kS64 && (i == 0 || def.max_inputs == kAnyNumber);
  const auto elements = is_moved ? context.integers(i) : context.all_integers(i);
  if (!elements || !is_small_integer(type.dtype, type.shape)) return std::nullopt;
  return make_integer_tensor(type.dtype, *type.shape, *elements);
}

/// Evaluates a node on small integer tensors whose elements are partly known. Operators that only move
/// elements carry the unknown marks along; others need every element.
std::optional<Shape> evaluate_elements(const OpDef& def, const InferContext& context) {
  const TensorType& result = context.outputs()[0];
  if (!is_small_integer(result.dtype, result.shape)) return std::nullopt;
  std::vector<Tensor> tensors;
  std::vector<TensorView> inputs;
  tensors.reserve(context.input_count());
  for (size_t i = 0; i < context.input_count(); ++i) {
    const auto tensor = known_input(context, def, i);
    if (!tensor) return std::nullopt;
    tensors.push_back(*tensor);
    inputs.push_back(tensors.back().view());
  }
  Tensor output(result.dtype, *result.shape);
  if (output.size() == 0) return Shape();
  const MutableTensorView view = output.mutable_view();
  evaluate_reference(def, context.node, context.opset, inputs, {&view, 1});
  return output.to_vector<int64_t>();
}

void check_arity(const OpDef& def, const Node& node) {
  const auto fail = [](const std::string& message) { throw Error(ErrorKind::kInvalidModel, message); };
  const CodeSlots slots = slots_of(node);
  for (size_t i = 0; i < def.min_inputs; ++i)
    if (node.input(i) == kNoValue && !slots.is_zero_point(i))
      fail("input " + std::to_string(i) + " is missing");
  for (const CodeOperand& operand : slots.operands)  // also of those that repeat or may be left out
    if (node.input(operand.codes) != kNoValue && node.input(operand.scale) == kNoValue)
      fail("input " + std::to_string(operand.scale) + ", the scale of input " +
           std::to_string(operand.codes) + ", is missing");
  if (node.inputs.size() > def.max_inputs)
    fail("the node has " + std::to_string(node.inputs.size()) + " inputs, the operator takes at most " +
         std::to_string(def.max_inputs));
  if (node.output(0) == kNoValue) fail("output 0 is missing");
  if (node.outputs.size() > def.max_outputs)
    fail("the node has " + std::to_string(node.outputs.size()) + " outputs, the operator makes at most " +
         std::to_string(def.max_outputs));
}

void keep_names_of_unknown_extents(Value& value) {
  if (!value.shape || value.dim_names.size() != value.shape->size()) value.dim_names.clear();
  for (size_t i = 0; i < value.dim_names.size(); ++i)
    if ((*value.shape)[i] != kUnknownDim) value.dim_names[i].clear();
}

}  // namespace

ShapeInference::ShapeInference(Graph& graph) : graph_(graph), known_(graph.values.size()) {
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const Tensor& tensor = graph.values[i].initializer;
    if (is_small_integer(tensor.dtype(), tensor.shape())) known_[i] = tensor.to_vector<int64_t>();
  }
  for (const ValueId input : graph.inputs)
    if (const Value& value = graph.value(input); value.shape)
      with_context([&] { return "input '" + value.name + "'"; }, [&] { check_extents(*value.shape); });
}

void ShapeInference::infer(Node& node) {
  const OpDef& def = find_op(graph_, node);
  check_arity(def, node);
  if (node.has_bodies()) infer_bodies(graph_, node);
  known_.resize(graph_.values.size());
  InferContext context(graph_, node, known_);
  def.infer(context);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    Value& value = graph_.value(node.outputs[i]);
    value.dtype = context.outputs()[i].dtype;
    value.shape = context.outputs()[i].shape;
    if (value.shape) check_extents(*value.shape);
    keep_names_of_unknown_extents(value);
  }
  if (node.outputs.size() != 1) return;
  known_[static_cast<size_t>(node.outputs[0])] =
      context.elements() ? context.elements() : evaluate_elements(def, context);
}

void infer_shapes(Graph& graph) {
  ShapeInference inference(graph);
  for (Node& node : graph.nodes)
    with_context([&] { return describe(graph, node); }, [&] { inference.infer(node); });
}

}  // namespace quantize
