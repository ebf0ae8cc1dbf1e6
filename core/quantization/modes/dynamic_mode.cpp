// Layers on codes of ranges that each run takes from its own numbers: the patterns that ONNX Runtime computes, and fuses
// to DynamicQuantizeMatMul. Read kWriters at the end.
#include <algorithm>

#include "core/error.h"
#include "core/integer/exact_sums.h"
#include "core/quantization/candidates.h"
#include "core/quantization/modes/node_writer.h"
#include "core/quantization/modes/store_weights.h"
#include "core/quantization/quantize_weights.h"
#include "core/quantization/reasons.h"

namespace quantize {

namespace {

/// Codes of 8 bits and less in bytes.
constexpr StoredCodes kCodes{DataType::kS8, 13};

const DynamicOperator* find(const TargetProfile& target, const Node& node) {
  for (const DynamicOperator& each : target.dynamic_operators)
    if (node.domain.empty() && node.op_type == each.op_type) return &each;
  return nullptr;
}

bool is_disabled(const ModeRequest& request, ValueId weights) {
  const ValueOverride* specific = find_override(request.scheme, request.graph.value(weights).name);
  return specific != nullptr && specific->enabled && !*specific->enabled;
}

/// The weights of a product or convolution, and why it stays float; nothing: it does not.
FloatReason plan_layer(const ModeRequest& request, const Node& node, PlannedNode& planned) {
  std::optional<WeightLayout> layout;
  if (FloatReason reason = layer_reason(request.graph, node, layout)) return reason;
  if (is_disabled(request, node.inputs[1])) return text_of(Cause::kWeightsDisabled);
  if (layout->keeps_channels_apart()) return text_of(Cause::kDynamicDepthwise);
  const Tensor& weights = *request.graph.constant(node.inputs[1]);
  QuantParams any;  // there is no range that a bias would have to fit
  any.scale = {1};
  any.zero_point = {0};
  const QuantParams params =
      choose_weight_params(weights, *layout, {}, any, weight_form(request.scheme),
                           find_override(request.scheme, request.graph.value(node.inputs[1]).name));
  StoredWeights stored;
  stored.input = 1;
  stored.codes = quantize_tensor(weights, params);
  const SumBound bound = bound_of_sums(stored.codes, params.zero_point, *layout, {});
  if (!bound.fits()) return text_of(Cause::kSums, {bound.text()});
  stored.scales = Tensor::of<float>({static_cast<int64_t>(params.scale.size())}, params.scale);
  stored.axis = params.axis.value_or(0);
  plan_shift(request, node, *layout, stored);
  planned.stored.push_back(std::move(stored));
  return std::nullopt;
}

/// [directions, gates, columns] -> [directions, columns, gates], as DynamicQuantizeLSTM has its weights.
Tensor turned(const Tensor& codes) {
  const Shape& shape = codes.shape();
  Tensor result(codes.dtype(), {shape[0], shape[2], shape[1]});
  const int8_t* from = codes.data<int8_t>();
  for (int64_t d = 0; d < shape[0]; ++d)
    for (int64_t g = 0; g < shape[1]; ++g)
      for (int64_t c = 0; c < shape[2]; ++c)
        result.mutable_data<int8_t>()[(d * shape[2] + c) * shape[1] + g] = *from++;
  return result;
}

FloatReason plan_lstm(const ModeRequest& request, const Node& node, PlannedNode& planned) {
  if (node.int_attribute("layout", 0) != 0) return text_of(Cause::kDynamicLayout, {request.target.name});
  const auto operands = weight_operands(request.graph, node);
  if (operands.size() != 2) return text_of(Cause::kNothingToStore);
  for (const WeightOperand& operand : operands) {
    const ValueId weights = node.inputs[operand.input];
    if (is_disabled(request, weights)) return text_of(Cause::kWeightsDisabled);
    const ValueOverride* specific = find_override(request.scheme, request.graph.value(weights).name);
    const int64_t bits =
        specific != nullptr && specific->num_bits ? *specific->num_bits : request.scheme.weights.num_bits;
    planned.stored.push_back(store_weights(*request.graph.constant(weights), operand, {kCodes, bits}));
  }
  return std::nullopt;
}

/// sum * (scale of the activation * scales of the weights), and the bias.
void write_reals(NodeWriter& writer, const Node& node, ValueId sums, const NodeWriter::Dynamic& x,
                 const Tensor& scales, size_t axes_behind) {
  const std::string name = writer.name_of(node.outputs[0]);
  const auto shape = writer.shape_of(node.outputs[0]);
  const auto along = [&](const Tensor& tensor) {
    Shape wide = tensor.shape();
    wide.insert(wide.end(), axes_behind, 1);
    return tensor.reshaped(wide);
  };
  const Tensor steps = along(scales);
  const ValueId scale =
      writer.add("Mul", {x.scale, writer.constant(writer.name_of(node.inputs[1]) + "_scale", steps)},
                 name + "_scale", DataType::kF32, steps.shape());
  const ValueId reals = writer.add("Cast", {sums}, name + "_sums_f32", DataType::kF32, shape,
                                   {{"to", static_cast<int64_t>(DataType::kF32)}});
  Node last;
  last.name = node.name;
  last.outputs = node.outputs;
  last.op_type = "Mul";
  last.inputs = {reals, scale};
  if (node.input(2) != kNoValue) {
    const ValueId scaled = writer.add("Mul", last.inputs, name + "_without_bias", DataType::kF32, shape);
    const auto columns = (*shape)[shape->size() - 1 - axes_behind];
    const ValueId row = writer.row(node.inputs[2], columns);
    last.op_type = "Add";
    last.inputs = {scaled, axes_behind == 0 ? row
                                            : writer.constant(writer.name_of(row) + "_image",
                                                              along(writer.tensor_of(row)))};
  }
  writer.push(std::move(last));
}

void write_product(NodeWriter& writer, const Node& node, const PlannedNode& planned) {
  const StoredWeights& stored = planned.stored.front();
  const bool by_row = node.int_attribute("transB", 0) != 0;
  const Shape& shape = stored.codes.shape();
  Tensor codes = stored.codes;
  if (by_row) codes = turned(codes.reshaped({1, shape[0], shape[1]})).reshaped({shape[1], shape[0]});
  const NodeWriter::Dynamic x = writer.dynamic(node.inputs[0]);
  const std::string name = writer.name_of(node.outputs[0]);
  const ValueId weights = writer.constant(writer.name_of(node.inputs[1]) + "_quantized", codes);
  const ValueId sums = writer.add("MatMulInteger", {x.codes, weights, x.zero_point}, name + "_sums",
                                  DataType::kS32, writer.shape_of(node.outputs[0]));
  write_reals(writer, node, sums, x, stored.scales, 0);
}

void write_conv(NodeWriter& writer, const Node& node, const PlannedNode& planned) {
  const StoredWeights& stored = planned.stored.front();
  const NodeWriter::Dynamic x = writer.dynamic(node.inputs[0]);
  const std::string name = writer.name_of(node.outputs[0]);
  const ValueId weights = writer.constant(writer.name_of(node.inputs[1]) + "_quantized", stored.codes);
  const ValueId sums = writer.add("ConvInteger", {x.codes, weights, x.zero_point}, name + "_sums",
                                  DataType::kS32, writer.shape_of(node.outputs[0]), node.attributes);
  write_reals(writer, node, sums, x, stored.scales, stored.codes.shape().size() - 2);
}

void write_lstm(NodeWriter& writer, const Node& node, const PlannedNode& planned) {
  Node written = node;
  written.op_type = "DynamicQuantizeLSTM";
  written.domain = kMicrosoftDomain;
  written.attributes.erase("layout");
  written.inputs.resize(8, kNoValue);
  for (const StoredWeights& stored : planned.stored) {
    const std::string name = writer.name_of(node.inputs[stored.input]);
    const Shape& shape = stored.codes.shape();
    written.inputs[stored.input] = writer.constant(name + "_quantized", turned(stored.codes));
    Tensor scales(DataType::kF32, {shape[0], shape[1]});  // each direction has all of them
    for (int64_t i = 0; i < scales.size(); ++i)
      scales.mutable_data<float>()[i] = stored.scales.data<float>()[i % shape[1]];
    written.inputs.push_back(writer.constant(name + "_scale", scales));
    written.inputs.push_back(
        writer.constant(name + "_zero_point", Tensor(DataType::kS8, {shape[0], shape[1]})));
  }
  writer.push(std::move(written));
}

struct DynamicWriter {
  DynamicForm form;
  FloatReason (*plan)(const ModeRequest&, const Node&, PlannedNode&);
  void (*write)(NodeWriter&, const Node&, const PlannedNode&);
};
constexpr DynamicWriter kWriters[] = {
    {DynamicForm::kProduct, plan_layer, write_product},
    {DynamicForm::kConv, plan_layer, write_conv},
    {DynamicForm::kLstm, plan_lstm, write_lstm},
};

const DynamicWriter& writer_of(DynamicForm form) {
  return *std::find_if(std::begin(kWriters), std::end(kWriters),
                       [&](const DynamicWriter& each) { return each.form == form; });
}

void check(const QuantizationScheme& scheme, const TargetProfile& target) {
  if (target.dynamic_operators.empty())
    throw Error(ErrorKind::kInvalidArgument,
                std::string("target ") + target.name +
                    " computes no layer on codes of dynamic ranges: " + target.instead_of_dynamic);
  if (scheme.weights.dtype != DataType::kS8)
    throw Error(ErrorKind::kInvalidArgument, "mode dynamic has weights of s8; leave out --weight-type u8");
}

void plan(const ModeRequest& request, const Node& node, PlannedNode& planned) {
  const DynamicOperator* entry = find(request.target, node);
  const FloatReason reason = entry == nullptr ? text_of(Cause::kNoDynamic, {request.target.name})
                                              : writer_of(entry->form).plan(request, node, planned);
  planned.reason = reason.value_or(text_of(Cause::kDynamic, {request.target.name}));
  if (reason) {
    planned.stored.clear();
    return;
  }
  planned.placement = Placement::kDynamic;
  planned.dynamic = entry->form;
}

void write(NodeWriter& writer, const Node& node, const PlannedNode& planned) {
  writer_of(*planned.dynamic).write(writer, writer.corrected(node, planned.stored.front()), planned);
}

/// True for a recurrent layer, which no static kernel takes.
bool takes(const ModeRequest& request, const Node& node) {
  const DynamicOperator* entry = find(request.target, node);
  return entry != nullptr && !weight_operands(request.graph, node).empty();
}

}  // namespace

extern const Mode kDynamicMode;
const Mode kDynamicMode{.name = "dynamic",
                        .description = "integers of ranges that each run finds",
                        .takes_bits = true,
                        .on_codes = true,
                        .check = check,
                        .plan = plan,
                        .write = write,
                        .takes = takes};

}  // namespace quantize
