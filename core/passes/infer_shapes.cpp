// Shape inference: one walk over the nodes in order. Integer tensors of rank 0 and 1 (shape chains) are
// evaluated along the way as far as their elements are known.
#include <algorithm>
#include <cstring>

#include "core/op.h"
#include "core/passes/passes.h"

namespace quantize {

InferContext::InferContext(const Graph& graph, const Node& n,
                           const std::vector<std::optional<Shape>>& known_values)
    : node(n), opset(0), graph_(graph), known_values_(known_values), outputs_(n.outputs.size()) {
  const auto found = graph.info.opsets.find(n.domain);
  if (found != graph.info.opsets.end()) opset = found->second;
}

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

void InferContext::set_output(size_t i, DataType dtype, std::optional<Shape> shape) {
  if (i < outputs_.size()) outputs_[i] = {dtype, std::move(shape)};
}

namespace {

constexpr int64_t kMaxKnownElements = 64;

using KnownValues = std::vector<std::optional<Shape>>;  // per value: its integer elements

bool is_small_integer(DataType dtype, const std::optional<Shape>& shape) {
  return (dtype == DataType::kS64 || dtype == DataType::kS32) && shape && shape->size() <= 1 &&
         is_static(*shape) && element_count(*shape) <= kMaxKnownElements;
}

Tensor make_integer_tensor(DataType dtype, const Shape& shape, const std::vector<int64_t>& elements) {
  Tensor tensor(dtype, shape);
  for (size_t i = 0; i < elements.size(); ++i) {
    if (dtype == DataType::kS64) tensor.mutable_data<int64_t>()[i] = elements[i];
    if (dtype == DataType::kS32) tensor.mutable_data<int32_t>()[i] = static_cast<int32_t>(elements[i]);
  }
  return tensor;
}

/// The elements of a Shape node's output: the extents of its input, with `start` and `end` of opset 15
/// applied.
std::optional<Shape> shape_elements(const InferContext& context) {
  const auto shape = context.shape(0);
  if (!shape) return std::nullopt;
  const auto rank = static_cast<int64_t>(shape->size());
  const auto clip = [rank](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  const int64_t start = clip(context.node.int_attribute("start", 0));
  const int64_t end = clip(context.node.int_attribute("end", rank));
  Shape elements(shape->begin() + start, shape->begin() + std::max(start, end));
  std::replace(elements.begin(), elements.end(), kUnknownDim, kUnknownElement);
  return elements;
}

/// Evaluates a node on integer tensors whose elements are partly known. Operators that only move elements
/// carry the unknown marks along; others need every element.
std::optional<Shape> evaluate_elements(const Graph& graph, const Node& node, const OpDef& def,
                                       const InferContext& context) {
  const TensorType& result = context.outputs()[0];
  if (!is_small_integer(result.dtype, result.shape)) return std::nullopt;
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Tensor* constant = context.constant(i);
    const auto elements = context.integers(i);
    if (!context.has_input(i)) {
      tensors.emplace_back();
    } else if (constant != nullptr) {
      tensors.push_back(*constant);
    } else if (elements && is_small_integer(context.input(i).dtype, context.shape(i))) {
      const bool unknown = std::count(elements->begin(), elements->end(), kUnknownElement) != 0;
      if (unknown && (!def.moves_data || context.input(i).dtype != DataType::kS64)) return std::nullopt;
      tensors.push_back(make_integer_tensor(context.input(i).dtype, *context.shape(i), *elements));
    } else {
      return std::nullopt;
    }
  }
  Tensor output(result.dtype, *result.shape);
  std::vector<TensorView> inputs;
  for (const Tensor& tensor : tensors) inputs.push_back(tensor.view());
  const MutableTensorView view = output.mutable_view();
  def.evaluate({node, context.opset, kernels_for(Isa::kScalar), inputs, {&view, 1}, {}});
  (void)graph;
  return output.to_vector<int64_t>();
}

void infer_node(Graph& graph, const Node& node, KnownValues& known) {
  const OpDef& def = find_op(graph, node);
  InferContext context(graph, node, known);
  def.infer(context);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    Value& value = graph.value(node.outputs[i]);
    value.dtype = context.outputs()[i].dtype;
    value.shape = context.outputs()[i].shape;
    if (!value.shape || value.dim_names.size() != value.shape->size()) value.dim_names.clear();
  }
  if (node.outputs.size() != 1) return;
  auto& elements = known[static_cast<size_t>(node.outputs[0])];
  if (node.op_type == "Shape" && node.domain.empty())
    elements = shape_elements(context);
  else
    elements = evaluate_elements(graph, node, def, context);
}

}  // namespace

void infer_shapes(Graph& graph) {
  KnownValues known(graph.values.size());
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const Tensor& tensor = graph.values[i].initializer;
    if (is_small_integer(tensor.dtype(), tensor.shape())) known[i] = tensor.to_vector<int64_t>();
  }
  for (const Node& node : graph.nodes)
    with_context([&] { return describe(graph, node); }, [&] { infer_node(graph, node, known); });
}

}  // namespace quantize
