// By the role that a constant has where it is read. Read doubts_about_constants(), at the end, first.
#include "core/fusion/constant_doubts.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/ops/op.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

enum class Role { kAny, kWeights, kScale };

/// A constant where it is read as the most particular of its roles.
struct Reading {
  const Tensor* tensor;
  const Node* node;  // the first that reads it so
  Role role;
};

Role role_of(const OpDef* def, const Node& node, size_t input) {
  if (def == nullptr) return Role::kAny;
  if (def->weight_layout != nullptr && input == def->weight_input) return Role::kWeights;
  return slots_of(node).is_scale(input) ? Role::kScale : Role::kAny;
}

/// Initializers and the tensors of Constant nodes.
std::map<ValueId, const Tensor*> constants_of(const Graph& model) {
  std::map<ValueId, const Tensor*> constants;
  for (const Node& node : model.nodes) {
    for (ValueId id : node.inputs)
      if (const Tensor* constant = model.constant(id)) constants[id] = constant;
    if (const Tensor* constant = node.op_type == "Constant" ? node.tensor_attribute("value") : nullptr)
      constants[node.outputs[0]] = constant;
  }
  return constants;
}

std::map<std::string, Reading> readings_of(const Graph& model) {
  const std::map<ValueId, const Tensor*> constants = constants_of(model);
  std::map<std::string, Reading> readings;
  for (const Node& node : model.nodes) {
    const OpDef* def = try_find_op(model, node);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const auto constant = constants.find(node.inputs[i]);
      if (constant == constants.end() || constant->second->dtype() != DataType::kF32) continue;
      const Reading reading{constant->second, &node, role_of(def, node, i)};
      const auto [known, is_new] = readings.emplace(model.value(node.inputs[i]).name, reading);
      if (!is_new && known->second.role < reading.role) known->second = reading;
    }
  }
  return readings;
}

/// "NaN", or another kind of number that is in the way; empty if there is none.
std::string fault_of(const Reading& reading, bool infinite_too) {
  const float* x = reading.tensor->data<float>();
  const auto holds = [&](auto&& is_wrong) { return std::any_of(x, x + reading.tensor->size(), is_wrong); };
  if (holds([](float v) { return std::isnan(v); })) return "NaN";
  const bool infinite = holds([](float v) { return std::isinf(v); });
  if (infinite && (infinite_too || reading.role != Role::kAny)) return "infinite numbers";
  if (reading.role != Role::kScale) return "";
  if (holds([](float v) { return v < 0; })) return "negative numbers";
  return holds([](float v) { return v == 0; }) ? "0" : "";
}

}  // namespace

std::vector<std::string> doubts_about_constants(const Graph& source, bool infinite_too) {
  Graph model = source;
  standardize_quantizers(model);
  std::vector<std::string> doubts;
  for (const auto& [name, reading] : readings_of(model)) {
    const std::string fault = fault_of(reading, infinite_too);
    if (fault.empty()) continue;
    if (reading.role == Role::kScale)
      doubts.push_back("the scale '" + name + "' of " + describe(model, *reading.node) + " holds " + fault +
                       ", and scales are positive and finite: quantize the model anew");
    else
      doubts.push_back(
          "the model's constant '" + name + "' holds " + fault +
          "; results computed from it are not finite and stay in float: check how the model was made");
  }
  return doubts;
}

}  // namespace quantize
