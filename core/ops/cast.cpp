// Cast and CastLike: conversion of element types. BitCast: the same bits under another type.
#include <cstring>

#include "core/error.h"
#include "core/ops/support/convert_tensor.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

void infer_to(InferContext& context, DataType dtype) {
  for (const DataType type : {dtype, context.input(0).dtype})
    if (type != DataType::kUndefined && size_of(type) == 0)
      throw Error(ErrorKind::kUnsupported,
                  "conversion of type " + std::string(name_of(type)) + " is not supported");
  context.set_output(0, dtype, context.shape(0));
}

void infer_cast(InferContext& context) {
  const int64_t to = context.node.int_attribute("to", 0);
  const auto dtype = to > 0 && to < 100 ? static_cast<DataType>(to) : DataType::kUndefined;
  if (size_of(dtype) == 0)
    throw Error(ErrorKind::kUnsupported,
                "conversion to element type number " + std::to_string(to) + " is not supported");
  infer_to(context, dtype);
}

void infer_cast_like(InferContext& context) {
  infer_to(context, context.input(1).dtype);
}

NarrowRule rule_of(const Node& node) {
  using Power = NarrowRule::Power;
  const std::string mode = node.string_attribute("round_mode", "up");
  if (mode != "up" && mode != "down" && mode != "nearest")
    invalid_model("attribute 'round_mode' is '" + mode + "'");
  return {node.int_attribute("saturate", 1) != 0, mode == "up"     ? Power::kUp
                                                  : mode == "down" ? Power::kDown
                                                                   : Power::kNearest};
}

void evaluate(const EvaluateContext& context) {
  convert_tensor(context.inputs[0], context.outputs[0], rule_of(context.node));
}

void infer_bit_cast(InferContext& context) {
  infer_cast(context);
  const DataType from = context.input(0).dtype, to = context.outputs()[0].dtype;
  const auto bits = [](DataType type) {
    return 8 * size_of(type) / static_cast<size_t>(packed_per_byte(type));
  };
  if (from != DataType::kUndefined && bits(from) != bits(to))
    invalid_model("the bits of " + std::string(name_of(from)) + " are not as many as those of " +
                  std::string(name_of(to)));
}

void evaluate_bit_cast(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  std::memcpy(context.outputs[0].data, x.data, byte_count(x.dtype, x.shape));
}

}  // namespace

void add_cast(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Cast",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .infer = infer_cast,
                 .evaluate = evaluate});
  ops.push_back({.op_type = "CastLike",
                 .domain = "",
                 .min_opset = 15,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer_cast_like,
                 .evaluate = evaluate});
  ops.push_back({.op_type = "BitCast",
                 .domain = "",
                 .min_opset = 26,
                 .max_opset = kNewestOpset,
                 .infer = infer_bit_cast,
                 .evaluate = evaluate_bit_cast,
                 .reads_bits = true});
}

}  // namespace quantize
