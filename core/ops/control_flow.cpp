// If, Loop and Scan: nodes that run bodies (Node::body). The engine runs these (core/engine/control_flow.h); here stand
// the types of the results, as the bodies declare them.
#include "core/ops/control_flow.h"

#include "core/error.h"
#include "core/ops/op.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

/// Result i of a body.
TensorType result_of(const Graph& body, size_t i) {
  const Value& value = body.value(body.outputs[i]);
  if (value.is_constant()) return {value.initializer.dtype(), value.initializer.shape()};
  return {value.dtype, value.shape};
}

void infer_if(InferContext& context) {
  const Graph& then_body = context.node.body("then_branch");
  const Graph& else_body = context.node.body("else_branch");
  for (const Graph* branch : {&then_body, &else_body}) check_branch(context.node, *branch);
  for (size_t i = 0; i < context.node.outputs.size(); ++i) {
    const TensorType a = result_of(then_body, i), b = result_of(else_body, i);
    if (a.dtype != b.dtype && a.dtype != DataType::kUndefined && b.dtype != DataType::kUndefined)
      invalid_model("result " + std::to_string(i) + " of the branches is " + std::string(name_of(a.dtype)) +
                    " or " + std::string(name_of(b.dtype)));
    context.set_output(i, a.dtype != DataType::kUndefined ? a.dtype : b.dtype,
                       either_shape(a.shape, b.shape));
  }
}

/// How many of the node's inputs are its own, not captured.
size_t own_inputs(const Node& node) {
  return node.inputs.size() - node.captures;
}

/// A result of a body that is stacked along a new axis.
std::optional<Shape> stacked(const std::optional<Shape>& shape, size_t axis) {
  if (!shape) return std::nullopt;
  if (axis > shape->size()) invalid_model("an axis of the results is out of range");
  Shape result = *shape;
  result.insert(result.begin() + static_cast<ptrdiff_t>(axis), kUnknownDim);
  return result;
}

/// Body: iteration, condition, states -> condition, states, results that are stacked.
void infer_loop(InferContext& context) {
  const Graph& body = context.node.body("body");
  if (own_inputs(context.node) < 2) invalid_model("trip count or condition is missing");
  const size_t states = own_inputs(context.node) - 2;
  if (body.inputs.size() != 2 + states + context.node.captures)
    invalid_model("the body takes " + std::to_string(body.inputs.size() - context.node.captures) +
                  " values, not " + std::to_string(2 + states));
  if (body.outputs.size() != 1 + context.node.outputs.size() || body.outputs.size() < 1 + states)
    invalid_model("the body has " + std::to_string(body.outputs.size()) +
                  " results; it needs the condition and one for each of the " +
                  std::to_string(context.node.outputs.size()) + " outputs");
  for (size_t i = 0; i < context.node.outputs.size(); ++i) {
    const TensorType result = result_of(body, 1 + i);
    if (i >= states)
      context.set_output(i, result.dtype, stacked(result.shape, 0));
    else  // the state that the loop began with, if it runs no iteration
      context.set_output(i, result.dtype, either_shape(result.shape, context.shape(2 + i)));
  }
}

/// Body: states, slices -> states, results that are stacked.
void infer_scan(InferContext& context) {
  const Graph& body = context.node.body("body");
  const int64_t slices = context.node.int_attribute("num_scan_inputs", 0);
  const size_t inputs = own_inputs(context.node);
  if (slices < 1 || static_cast<size_t>(slices) > inputs)
    invalid_model("num_scan_inputs is " + std::to_string(slices) + " for " + std::to_string(inputs) +
                  " inputs");
  const size_t states = inputs - static_cast<size_t>(slices);
  if (body.inputs.size() != inputs + context.node.captures)
    invalid_model("the body takes " + std::to_string(body.inputs.size() - context.node.captures) +
                  " values, not " + std::to_string(inputs));
  if (body.outputs.size() != context.node.outputs.size() || body.outputs.size() < states)
    invalid_model("the body has " + std::to_string(body.outputs.size()) +
                  " results; it needs one for each of the " + std::to_string(context.node.outputs.size()) +
                  " outputs");
  const std::vector<int64_t> axes =
      context.node.ints_attribute("scan_output_axes", std::vector<int64_t>(body.outputs.size() - states, 0));
  if (axes.size() != body.outputs.size() - states)
    invalid_model("scan_output_axes has not one axis per result");
  for (size_t i = 0; i < body.outputs.size(); ++i) {
    const TensorType result = result_of(body, i);
    if (i < states) {
      context.set_output(i, result.dtype, either_shape(result.shape, context.shape(i)));
      continue;
    }
    int64_t axis = axes[i - states];
    if (axis < 0 && result.shape) axis += static_cast<int64_t>(result.shape->size()) + 1;
    if (axis < 0 && result.shape) invalid_model("an axis of the results is out of range");
    context.set_output(i, result.dtype,
                       axis < 0 ? std::nullopt : stacked(result.shape, static_cast<size_t>(axis)));
  }
}

void evaluate(const EvaluateContext&) {
  throw Error(ErrorKind::kInternal, "bodies have no reference code");
}

OpDef control_flow(const char* op_type, int min_opset, size_t min_inputs, void (*infer)(InferContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = min_opset,
          .max_opset = kNewestOpset,
          .min_inputs = min_inputs,
          .max_inputs = kAnyNumber,
          .max_outputs = kAnyNumber,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace

void check_branch(const Node& node, const Graph& branch) {
  if (branch.outputs.size() != node.outputs.size())
    invalid_model("a branch has " + std::to_string(branch.outputs.size()) + " results, the node has " +
                  std::to_string(node.outputs.size()));
}

std::optional<Shape> either_shape(const std::optional<Shape>& a, const std::optional<Shape>& b) {
  if (!a || !b || a->size() != b->size()) return std::nullopt;
  Shape shape = *a;
  for (size_t i = 0; i < shape.size(); ++i)
    if ((*b)[i] != shape[i]) shape[i] = kUnknownDim;
  return shape;
}

std::optional<ControlFlowKind> control_flow_of(const Node& node) {
  if (!node.domain.empty()) return std::nullopt;
  if (node.op_type == "If") return ControlFlowKind::kIf;
  if (node.op_type == "Loop") return ControlFlowKind::kLoop;
  if (node.op_type == "Scan") return ControlFlowKind::kScan;
  return std::nullopt;
}

void add_control_flow(std::vector<OpDef>& ops) {
  ops.push_back(control_flow("If", 7, 1, infer_if));
  ops.push_back(control_flow("Loop", 7, 2, infer_loop));
  ops.push_back(
      control_flow("Scan", 8, 1, infer_scan));  // of opset 9, which reading makes of one with batches
}

}  // namespace quantize
