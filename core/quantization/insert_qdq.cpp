// Inserting Q and DQ. Read QdqInserter::insert first.
#include "core/quantization/insert_qdq.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "core/error.h"
#include "core/fusion/patterns.h"
#include "core/ops/op.h"
#include "core/passes/passes.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/modes/node_writer.h"
#include "core/quantization/quantize_weights.h"

namespace quantize {

namespace {

Tensor tensor_of(DataType dtype, const std::vector<int32_t>& codes, bool scalar) {
  Tensor result(dtype, scalar ? Shape{} : Shape{static_cast<int64_t>(codes.size())});
  for (size_t i = 0; i < codes.size(); ++i) {
    switch (dtype) {
      case DataType::kU8:
        result.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(codes[i]);
        break;
      case DataType::kS8:
        result.mutable_data<int8_t>()[i] = static_cast<int8_t>(codes[i]);
        break;
      case DataType::kU16:
        result.mutable_data<uint16_t>()[i] = static_cast<uint16_t>(codes[i]);
        break;
      case DataType::kS16:
        result.mutable_data<int16_t>()[i] = static_cast<int16_t>(codes[i]);
        break;
      case DataType::kS32:
        result.mutable_data<int32_t>()[i] = codes[i];
        break;
      default:
        throw Error(ErrorKind::kInternal, "no zero point has type " + std::string(name_of(dtype)));
    }
  }
  return result;
}

/// The ends of the storage type.
std::pair<int32_t, int32_t> storage_range(DataType dtype) {
  const bool is_signed = dtype == DataType::kS8 || dtype == DataType::kS16;
  const int32_t levels = size_of(dtype) == 1 ? 256 : 65536;
  return is_signed ? std::pair(-levels / 2, levels / 2 - 1) : std::pair(0, levels - 1);
}

Tensor scale_tensor(const std::vector<float>& scale, bool scalar) {
  return Tensor::of<float>(scalar ? Shape{} : Shape{static_cast<int64_t>(scale.size())}, scale);
}

bool has_one_bias_scale(const PlannedWeights& weights, const QuantParams& input) {
  return weights.params.per_tensor() && input.per_tensor();
}

std::vector<float> bias_scales(const PlannedWeights& weights, const QuantParams& input) {
  std::vector<float> scales;
  for (size_t c = 0; c < (has_one_bias_scale(weights, input) ? 1 : weights.bias.size()); ++c)
    scales.push_back(bias_scale(weights.params, input, c));
  return scales;
}

Tensor bias_codes(const PlannedWeights& weights, const QuantParams& input) {
  constexpr double kLimit = std::numeric_limits<int32_t>::max();
  Tensor codes(DataType::kS32, {static_cast<int64_t>(weights.bias.size())});
  for (size_t c = 0; c < weights.bias.size(); ++c) {
    const double scale = bias_scale(weights.params, input, c);
    codes.mutable_data<int32_t>()[c] =
        static_cast<int32_t>(std::clamp(std::nearbyint(weights.bias[c] / scale), -kLimit, kLimit));
  }
  return codes;
}

Tensor real_bias(const PlannedWeights& weights) {
  return Tensor::of<float>({static_cast<int64_t>(weights.bias.size())},
                           std::vector<float>(weights.bias.begin(), weights.bias.end()));
}

class QdqInserter {
 public:
  explicit QdqInserter(const PlannedModel& planned)
      : source_(planned.graph), plan_(planned.plan), result_(planned.graph), writer_(result_) {}

  Graph insert() {
    result_.nodes.clear();
    scales_.assign(source_.values.size(), {});
    dequantized_.assign(source_.values.size(), kNoValue);
    for (ValueId id : source_.inputs)
      if (planned(id).params) quantize_beside(id);
    for (size_t n = 0; n < source_.nodes.size(); ++n) {
      const PlannedNode& node = plan_.nodes[n];
      if (node.placement == Placement::kFloat || node.placement == Placement::kDynamic)
        insert_float(source_.nodes[n], static_cast<NodeId>(n));
      if (node.placement == Placement::kInteger) insert_integer(source_.nodes[n], node);
      if (node.placement == Placement::kFused) insert_fused(source_.nodes[n], node);
      if (node.placement == Placement::kAbsorbed) insert_made_of(source_.nodes[n].output(0));
    }
    return std::move(result_);
  }

 private:
  struct ScaleIds {
    ValueId scale = kNoValue, zero_point = kNoValue;
  };

  const PlannedValue& planned(ValueId id) const { return plan_.values[static_cast<size_t>(id)]; }
  bool absorbed(NodeId tail) const {
    return tail != kNoNode && plan_.nodes[static_cast<size_t>(tail)].placement == Placement::kAbsorbed;
  }
  const std::string& name_of_value(ValueId id) const { return source_.value(id).name; }

  void insert_float(Node node, NodeId number) {
    const auto corrected = corrected_adds_.find(number);
    if (corrected != corrected_adds_.end()) {
      ValueId& addend = node.inputs[*constant_addend(source_, node)];
      addend = result_.add_constant(name_of_value(addend) + "_corrected", real_bias(*corrected->second));
    }
    if (plan_.nodes[static_cast<size_t>(number)].behind_barrier)
      node.inputs[0] = behind_barrier(node.inputs[0]);
    const PlannedNode& plan = plan_.nodes[static_cast<size_t>(number)];
    if (plan.stored.empty())
      result_.nodes.push_back(node);
    else
      plan.mode->write(writer_, node, plan);
    quantize_results(node);
  }

  void insert_integer(const Node& original, const PlannedNode& plan) {
    Node node = original;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      ValueId& input = node.inputs[i];
      if (input == kNoValue || (plan.weights && i > 0)) continue;
      const auto converted = plan.converted.find(input);
      input = converted == plan.converted.end() ? integer_operand(input)
                                                : converted_operand(input, converted->second);
    }
    if (plan.returns_reals) {
      push_layer(std::move(node), original, plan);
      quantize_results(original);
      return;
    }
    std::vector<ValueId> finals = original.outputs;
    if (absorbed(plan.tail)) finals[0] = source_.nodes[static_cast<size_t>(plan.tail)].output(0);
    for (size_t i = 0; i < finals.size(); ++i)
      if (finals[i] != kNoValue && finals[i] == node.outputs[i] && planned(finals[i]).params)
        node.outputs[i] = add_like(finals[i], "_unrounded");
    push_layer(node, original, plan);
    for (size_t i = 0; i < finals.size(); ++i)
      if (finals[i] != kNoValue && planned(finals[i]).params)
        quantize_pair(has_channel_scales(original, finals[i]) ? shielded(node.outputs[i]) : node.outputs[i],
                      finals[i], finals[i]);
  }

  void push_layer(Node node, const Node& original, const PlannedNode& plan) {
    if (plan.weights)
      insert_weighted(std::move(node), original, plan);
    else
      result_.nodes.push_back(std::move(node));
  }

  /// Q and DQ of reals that a node returns, for those of its readers that are integer.
  void quantize_results(const Node& node) {
    for (ValueId id : node.outputs)
      if (id != kNoValue && planned(id).params) quantize_beside(id);
  }

  /// True for a convolution of scales per channel, which runtimes that know QLinearConv would take for one.
  bool has_channel_scales(const Node& conv, ValueId result) const {
    const auto& input = planned(conv.inputs[0]).params;
    return !planned(result).params->per_tensor() || (input && !input->per_tensor());
  }

  /// A part of a function, or an addition: its end is rounded.
  void insert_fused(Node node, const PlannedNode& plan) {
    for (ValueId& id : node.inputs)
      if (id != kNoValue) id = integer_operand(id);
    if (plan.returns_reals) {
      result_.nodes.push_back(node);
      quantize_results(node);
      return;
    }
    if (absorbed(plan.tail)) node.outputs = source_.nodes[static_cast<size_t>(plan.tail)].outputs;
    const ValueId result = node.outputs[0];
    if (planned(result).params) node.outputs[0] = add_like(result, "_unrounded");
    const ValueId real = node.outputs[0];
    result_.nodes.push_back(std::move(node));
    if (real != result) quantize_pair(real, result, result);
  }

  void insert_weighted(Node node, const Node& original, const PlannedNode& plan) {
    const PlannedWeights& weights = *plan.weights;
    const std::string& weight_name = name_of_value(original.inputs[1]);
    node.inputs[1] = quantized_constant(
        weight_name, weight_codes(weights, source_.value(original.inputs[1]).initializer), weights.params);
    if (weights.bias.empty()) {
      result_.nodes.push_back(std::move(node));
    } else if (weights.bias_add != kNoNode) {
      corrected_adds_[weights.bias_add] = &weights;
      result_.nodes.push_back(std::move(node));
    } else if (weights.bias_place == BiasPlace::kBehind) {
      insert_bias_add(std::move(node), weights);
    } else {
      node.inputs.resize(3, kNoValue);
      const ValueId bias = original.input(2);
      const std::string name = bias == kNoValue ? weight_name + "_bias" : name_of_value(bias);
      node.inputs[2] = weights.bias_place == BiasPlace::kReals
                           ? result_.add_constant(name + "_corrected", real_bias(weights))
                           : quantized_bias(name, params_read_by(plan_, plan, original.inputs[0]), weights);
      result_.nodes.push_back(std::move(node));
    }
  }

  /// The bias of an operator without an input for it: a new Add writes what the operator wrote.
  void insert_bias_add(Node node, const PlannedWeights& weights) {
    const std::string name = result_.value(node.outputs[0]).name;
    Node add;
    add.op_type = "Add";
    add.name = name + "_bias_add";
    add.outputs = node.outputs;
    node.outputs[0] =
        result_.add_value(name + "_without_bias", DataType::kF32, result_.value(node.outputs[0]).shape);
    add.inputs = {node.outputs[0], result_.add_constant(name + "_bias", real_bias(weights))};
    result_.nodes.push_back(std::move(node));
    result_.nodes.push_back(std::move(add));
  }

  /// The value that an integer node reads instead of this one.
  ValueId integer_operand(ValueId id) {
    const PlannedValue& value = planned(id);
    if (!value.params) return id;  // an operand that is no number to round: a shape, indices
    const Tensor* constant = source_.constant(id);
    ValueId& operand = dequantized_[static_cast<size_t>(id)];
    if (operand == kNoValue && constant != nullptr)
      operand =
          quantized_constant(name_of_value(id), quantize_tensor(*constant, *value.params), *value.params);
    return operand == kNoValue ? id : operand;
  }

  /// The value in codes of other bits than its own; nodes that read it by the same parameters share them.
  ValueId converted_operand(ValueId id, const QuantParams& params) {
    for (const Conversion& known : conversions_)
      if (known.value == id && known.params == params) return known.result;
    size_t count = 0;
    for (const Conversion& known : conversions_) count += known.value == id;
    const std::string name = name_of_value(id) + "_as_" + std::string(name_of(params.dtype)) +
                             (count == 0 ? "" : "_" + std::to_string(count));
    const ScaleIds ids =
        add_scales(name, params.scale, tensor_of(params.dtype, params.zero_point, true), true);
    const ValueId codes = result_.add_value(name + "_quantized", params.dtype, source_.value(id).shape),
                  result = result_.add_value(name, DataType::kF32, source_.value(id).shape);
    Node node;
    node.op_type = "QuantizeLinear";
    node.name = result_.value(codes).name;
    node.inputs = {clamped(integer_operand(id), params, name), ids.scale, ids.zero_point};
    node.outputs = {codes};
    result_.nodes.push_back(std::move(node));
    push_dequantize(codes, ids, std::nullopt, result);
    conversions_.push_back({id, params, result});
    return result;
  }

  ValueId quantized_constant(const std::string& name, const Tensor& tensor, const QuantParams& params) {
    const ValueId codes = result_.add_constant(name + "_quantized", tensor);
    const ScaleIds ids =
        add_scales(name, params.scale, tensor_of(params.dtype, params.zero_point, params.per_tensor()),
                   params.per_tensor());
    return dequantize(codes, ids, params.axis, name + "_dequantized", tensor.shape());
  }

  ValueId quantized_bias(const std::string& name, const QuantParams& x, const PlannedWeights& weights) {
    const auto channels = static_cast<int64_t>(weights.bias.size());
    const bool per_tensor = has_one_bias_scale(weights, x);
    const std::vector<float> scales = bias_scales(weights, x);
    const ValueId id = result_.add_constant(name + "_quantized", bias_codes(weights, x));
    const std::vector<int32_t> zeros(scales.size(), 0);
    const ScaleIds ids = add_scales(name, scales, tensor_of(DataType::kS32, zeros, per_tensor), per_tensor);
    return dequantize(id, ids, per_tensor ? std::nullopt : std::optional<int64_t>(0), name + "_dequantized",
                      {channels});
  }

  /// Q and DQ of a value that keeps its name and its float readers.
  void quantize_beside(ValueId id) {
    const ValueId result = add_like(id, "_dequantized");
    dequantized_[static_cast<size_t>(id)] = result;
    quantize_pair(planned(id).shielded ? shielded(id) : id, result, id);
  }

  /// Codes that are made of another value, if these are.
  void insert_made_of(ValueId id) {
    const std::optional<MadeOf>& made_of = planned(id).made_of;
    if (!made_of) return;
    const QuantParams& params = made_of->params;
    const ScaleIds from = add_scales(name_of_value(made_of->value), params.scale,
                                     tensor_of(params.dtype, params.zero_point, false), false);
    const ValueId result = add_like(id, "_dequantized");
    dequantized_[static_cast<size_t>(id)] = result;
    const ValueId codes = push_quantize(made_of->value, from, params.axis, id);
    push_dequantize(codes, shared_scales(id), std::nullopt, result);
  }

  /// The same value behind a Max that changes nothing, so that the runtime does not see a pattern to
  /// quantize.
  ValueId shielded(ValueId id) {
    if (lowest_ == kNoValue)
      lowest_ =
          result_.add_constant("quantize_lowest_float", Tensor::scalar(std::numeric_limits<float>::lowest()));
    Node node;
    node.op_type = "Max";
    node.inputs = {id, lowest_};
    node.outputs = {
        result_.add_value(result_.value(id).name + "_shielded", DataType::kF32, result_.value(id).shape)};
    node.name = result_.value(node.outputs[0]).name;
    result_.nodes.push_back(node);
    return node.outputs[0];
  }

  /// The same value behind a Gather of all channels, over which the runtime does not move a Transpose.
  ValueId behind_barrier(ValueId id) {
    std::vector<int64_t> channels(static_cast<size_t>((*result_.value(id).shape)[1]));
    std::iota(channels.begin(), channels.end(), 0);
    const std::string name = result_.value(id).name;
    const ValueId all = result_.add_constant(
        name + "_channels", Tensor::of<int64_t>({static_cast<int64_t>(channels.size())}, channels));
    Node node;
    node.op_type = "Gather";
    node.inputs = {id, all};
    node.outputs = {result_.add_value(name + "_laid_out", DataType::kF32, result_.value(id).shape)};
    node.name = result_.value(node.outputs[0]).name;
    node.attributes["axis"] = int64_t{1};
    result_.nodes.push_back(node);
    return node.outputs[0];
  }

  /// real -> Q -> DQ -> rounded, with the parameters planned for `owner`.
  void quantize_pair(ValueId real, ValueId rounded, ValueId owner) {
    const QuantParams& params = *planned(owner).params;
    const ScaleIds ids = shared_scales(owner);
    const ValueId codes = push_quantize(clamped(real, params, name_of_value(owner)), ids, params.axis, owner);
    push_dequantize(codes, ids, params.axis, rounded);
  }

  /// The codes planned for `owner`.
  ValueId push_quantize(ValueId real, const ScaleIds& ids, std::optional<int64_t> axis, ValueId owner) {
    const ValueId codes = result_.add_value(name_of_value(owner) + "_quantized", planned(owner).params->dtype,
                                            source_.value(owner).shape);
    Node node;
    node.op_type = "QuantizeLinear";
    node.name = result_.value(codes).name;
    node.inputs = {real, ids.scale, ids.zero_point};
    node.outputs = {codes};
    if (axis) node.attributes["axis"] = *axis;
    result_.nodes.push_back(std::move(node));
    return codes;
  }

  /// Q saturates at the ends of the storage type; codes that end earlier need a Clip in front.
  ValueId clamped(ValueId real, const QuantParams& params, const std::string& name) {
    if (storage_range(params.dtype) == std::pair(params.quant_min, params.quant_max) || !params.per_tensor())
      return real;
    const auto bound = [&](int32_t code, const char* suffix) {
      return result_.add_constant(
          name + suffix, Tensor::scalar(dequantize_value(code, params.scale[0], params.zero_point[0])));
    };
    Node node;
    node.op_type = "Clip";
    node.inputs = {real, bound(params.quant_min, "_clip_min"), bound(params.quant_max, "_clip_max")};
    node.outputs = {result_.add_value(name + "_clipped", DataType::kF32, result_.value(real).shape)};
    node.name = result_.value(node.outputs[0]).name;
    result_.nodes.push_back(node);
    return node.outputs[0];
  }

  /// The scale and zero point initializers of a value, shared by all values that share its range.
  ScaleIds shared_scales(ValueId id) {
    const ValueId source = planned(id).source == kNoValue ? id : planned(id).source;
    const QuantParams& params = *planned(id).params;
    ScaleIds& ids = scales_[static_cast<size_t>(source)];
    if (ids.scale == kNoValue)
      ids = add_scales(name_of_value(source), params.scale,
                       tensor_of(params.dtype, params.zero_point, params.per_tensor()), params.per_tensor());
    return ids;
  }

  ScaleIds add_scales(const std::string& name, const std::vector<float>& scale, Tensor zero_point,
                      bool scalar) {
    return {result_.add_constant(name + "_scale", scale_tensor(scale, scalar)),
            result_.add_constant(name + "_zero_point", std::move(zero_point))};
  }

  ValueId dequantize(ValueId codes, const ScaleIds& ids, std::optional<int64_t> axis, const std::string& name,
                     const Shape& shape) {
    const ValueId result = result_.add_value(name, DataType::kF32, shape);
    push_dequantize(codes, ids, axis, result);
    return result;
  }

  void push_dequantize(ValueId codes, const ScaleIds& ids, std::optional<int64_t> axis, ValueId output) {
    Node node;
    node.op_type = "DequantizeLinear";
    node.name = result_.value(output).name + "_dequantize";
    node.inputs = {codes, ids.scale, ids.zero_point};
    node.outputs = {output};
    if (axis) node.attributes["axis"] = *axis;
    result_.nodes.push_back(std::move(node));
  }

  ValueId add_like(ValueId id, const char* suffix) {
    const Value& value = source_.value(id);
    return result_.add_value(value.name + suffix, value.dtype, value.shape);
  }

  const Graph& source_;
  const QuantizationPlan& plan_;
  Graph result_;
  NodeWriter writer_;
  ValueId lowest_ = kNoValue;
  std::vector<ScaleIds> scales_;  // per value of the source
  /// A value in codes of other bits.
  struct Conversion {
    ValueId value;
    QuantParams params;
    ValueId result;
  };
  std::vector<Conversion> conversions_;
  std::vector<ValueId> dequantized_;  // per value of the source: what integer nodes read instead
  std::map<NodeId, const PlannedWeights*> corrected_adds_;  // Adds that carry a corrected bias
};

}  // namespace

Graph insert_qdq(const PlannedModel& planned) {
  return QdqInserter(planned).insert();
}

void replace_weights(Graph& qdq, const GraphIndex& index, const Node& layer, const PlannedWeights& weights,
                     const QuantParams& input) {
  const Node& dequantize = qdq.nodes[static_cast<size_t>(index.producer(layer.inputs[1]))];
  if (weights.codes) qdq.value(dequantize.inputs[0]).initializer = *weights.codes;
  qdq.value(dequantize.inputs[1]).initializer =
      scale_tensor(weights.params.scale, weights.params.per_tensor());
  if (weights.bias_place == BiasPlace::kReals) {
    qdq.value(layer.inputs[2]).initializer = real_bias(weights);
    return;
  }
  if (weights.bias_place == BiasPlace::kCodes) {
    const Node& bias = qdq.nodes[static_cast<size_t>(index.producer(layer.inputs[2]))];
    qdq.value(bias.inputs[0]).initializer = bias_codes(weights, input);
    qdq.value(bias.inputs[1]).initializer =
        scale_tensor(bias_scales(weights, input), has_one_bias_scale(weights, input));
    return;
  }
  const Node& add = qdq.nodes[static_cast<size_t>(index.uses(layer.outputs[0])[0].node)];
  qdq.value(add.inputs[*constant_addend(qdq, add)]).initializer = real_bias(weights);
}

void drop_input_quantization(Graph& qdq) {
  const GraphIndex index(qdq);
  std::vector<bool> dropped(qdq.nodes.size(), false);
  std::vector<std::pair<ValueId, ValueId>> renamed;  // codes -> input
  for (ValueId input : qdq.inputs) {
    const auto& uses = index.uses(input);
    const bool quantized =
        !uses.empty() && std::any_of(uses.begin(), uses.end(), [&](const GraphIndex::Use& use) {
          return is_quantize(qdq.nodes[static_cast<size_t>(use.node)]);
        });
    if (!quantized) continue;
    if (!index.single_use(input))
      throw Error(ErrorKind::kUnsupported,
                  "input '" + qdq.value(input).name +
                      "' is read by a float operator too, so it cannot be quantized pixels; "
                      "leave out --input-type u8");
    const Node& node = qdq.nodes[static_cast<size_t>(uses[0].node)];
    dropped[static_cast<size_t>(uses[0].node)] = true;
    qdq.value(input).dtype = qdq.value(node.outputs[0]).dtype;
    renamed.emplace_back(node.outputs[0], input);
  }
  drop_nodes(qdq, dropped);
  for (const auto& [codes, input] : renamed) replace_uses(qdq, codes, input);
}

}  // namespace quantize
