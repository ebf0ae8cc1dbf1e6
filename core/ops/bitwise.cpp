// Operators on the bits of integers, element by element: BitShift, BitwiseAnd, BitwiseNot, BitwiseOr, BitwiseXor.
#include "core/ops/support/broadcast.h"

namespace quantize {

namespace {

template <typename Body>
void visit_integer(DataType dtype, Body&& body) {
  visit_types<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, uint64_t, int64_t>(dtype, body);
}

void infer_not(InferContext& context) {
  require_type(context, 0, kIntegerTypes);
  infer_same_as_input(context);
}

void infer_pair(InferContext& context) {
  require_type(context, 0, kIntegerTypes);
  require_same_type(context, 0, 1);
  context.set_output(0, context.input(0).dtype, broadcast_inputs(context));
}

bool shifts_left(const Node& node) {
  const std::string direction = node.string_attribute("direction", "");
  if (direction != "LEFT" && direction != "RIGHT")
    invalid_model("attribute 'direction' is '" + direction + "', which is neither LEFT nor RIGHT");
  return direction == "LEFT";
}

void infer_shift(InferContext& context) {
  shifts_left(context.node);
  infer_pair(context);
}

/// Bits that leave are lost; behind the last one stands the sign.
template <typename T>
T shifted(T x, T distance, bool left) {
  constexpr int kBits = 8 * sizeof(T);
  const bool leaves = distance < T(0) || distance >= T(kBits);
  if (left)
    return leaves ? T(0)
                  : static_cast<T>(static_cast<std::make_unsigned_t<T>>(x) << static_cast<int>(distance));
  return leaves ? static_cast<T>(x < T(0) ? -1 : 0) : static_cast<T>(x >> static_cast<int>(distance));
}

void evaluate_shift(const EvaluateContext& context) {
  const bool left = shifts_left(context.node);
  visit_integer(context.inputs[0].dtype, [&]<typename T>() {
    map_pairs<T, T, T>(context.inputs[0], context.inputs[1], context.outputs[0],
                       [left](T x, T distance) { return shifted(x, distance, left); });
  });
}

void evaluate_not(const EvaluateContext& context) {
  visit_integer(context.inputs[0].dtype, [&]<typename T>() {
    for (int64_t i = 0; i < context.inputs[0].size(); ++i)
      context.outputs[0].as<T>()[i] = static_cast<T>(~context.inputs[0].as<T>()[i]);
  });
}

template <typename Function>
void evaluate_pair(const EvaluateContext& context) {
  visit_integer(context.inputs[0].dtype, [&]<typename T>() {
    map_pairs<T, T, T>(context.inputs[0], context.inputs[1], context.outputs[0], Function());
  });
}

OpDef bitwise(const char* op_type, int min_opset, size_t inputs, void (*infer)(InferContext&),
              void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = min_opset,
          .max_opset = kNewestOpset,
          .min_inputs = inputs,
          .max_inputs = inputs,
          .infer = infer,
          .evaluate = evaluate,
          .elementwise = true};
}

template <typename Function>
OpDef pair(const char* op_type, Function) {
  return bitwise(op_type, 18, 2, infer_pair, evaluate_pair<Function>);
}

}  // namespace

void add_bitwise(std::vector<OpDef>& ops) {
  ops.push_back(bitwise("BitShift", 11, 2, infer_shift, evaluate_shift));
  ops.push_back(bitwise("BitwiseNot", 18, 1, infer_not, evaluate_not));
  ops.push_back(pair("BitwiseAnd", [](auto a, auto b) { return a & b; }));
  ops.push_back(pair("BitwiseOr", [](auto a, auto b) { return a | b; }));
  ops.push_back(pair("BitwiseXor", [](auto a, auto b) { return a ^ b; }));
}

}  // namespace quantize
