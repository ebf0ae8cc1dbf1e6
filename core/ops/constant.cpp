// Constant, in every form its attributes have, and ConstantOfShape.
#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

Tensor constant_of(const Node& node) {
  if (const Tensor* value = node.tensor_attribute("value")) return *value;
  if (node.has_attribute("value_float")) return Tensor::scalar(node.float_attribute("value_float", 0));
  if (node.has_attribute("value_int")) return Tensor::scalar(node.int_attribute("value_int", 0));
  if (node.has_attribute("value_floats")) {
    const auto values = node.floats_attribute("value_floats", {});
    return Tensor::of<float>({static_cast<int64_t>(values.size())}, values);
  }
  if (node.has_attribute("value_ints")) {
    const auto values = node.ints_attribute("value_ints", {});
    return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
  }
  throw Error(ErrorKind::kUnsupported, "a Constant of strings or a sparse tensor is not supported");
}

void infer_constant(InferContext& context) {
  const Tensor value = constant_of(context.node);
  context.set_output(0, value.dtype(), value.shape());
}

void evaluate_constant(const EvaluateContext& context) {
  const Tensor value = constant_of(context.node);
  std::memcpy(context.outputs[0].data, value.bytes(), value.byte_size());
}

/// One element of the value to fill with: f32 0 where the node has none.
Tensor fill_value(const Node& node) {
  const Tensor* value = node.tensor_attribute("value");
  if (value == nullptr) return Tensor::scalar(0.0f);
  if (value->size() != 1) invalid_model("the value of ConstantOfShape has more than one element");
  return *value;
}

void infer_constant_of_shape(InferContext& context) {
  const auto request = requested_shape(context, 0, 0);
  context.set_output(0, fill_value(context.node).dtype(),
                     request ? std::optional<Shape>(request->extents) : std::nullopt);
}

void evaluate_constant_of_shape(const EvaluateContext& context) {
  const Tensor value = fill_value(context.node);
  const MutableTensorView& y = context.outputs[0];
  visit_width(size_of(y.dtype), [&]<typename T>() {
    T element;
    std::memcpy(&element, value.bytes(), sizeof(T));
    std::fill_n(static_cast<T*>(y.data), y.size(), element);
  });
}

}  // namespace

void add_constant(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Constant",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .min_inputs = 0,
                 .max_inputs = 0,
                 .infer = infer_constant,
                 .evaluate = evaluate_constant});
  ops.push_back({.op_type = "ConstantOfShape",
                 .domain = "",
                 .min_opset = 9,
                 .max_opset = kNewestOpset,
                 .infer = infer_constant_of_shape,
                 .evaluate = evaluate_constant_of_shape});
}

}  // namespace quantize
