// The table of integer operators: one line each. An element-wise one on a single operand needs no more than its line
// here and its meaning; a function without a line becomes a table of codes in the engine and stays float in files.
#include "core/integer/forms.h"

#include <algorithm>

#include "core/ops/support/resample.h"
#include "core/passes/idle_attributes.h"

namespace quantize {

namespace {

constexpr std::string_view kMicrosoft = "com.microsoft";

/// True if the divisor of QLinearAveragePool counts places behind the padding, which ceil_mode has added.
bool counts_overhang(const Node& pool) {
  return pool.int_attribute("ceil_mode", 0) != 0 && pool.int_attribute("count_include_pad", 0) != 0;
}

std::vector<IntegerForm> list_forms() {
  using enum IslandShape;
  return {
      {.op_type = "QLinearConv",
       .float_type = "Conv",
       .shape = kConv,
       .attributes = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}},
      {.op_type = "QLinearConv",
       .float_type = "ConvTranspose",
       .shape = kConvTranspose,
       .attributes = {"auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape",
                      "pads", "strides"}},
      {.op_type = "QGemm",
       .domain = kMicrosoft,
       .float_type = "Gemm",
       .shape = kGemm,
       .attributes = {"alpha", "transA", "transB"}},
      {.op_type = "QLinearMatMul", .float_type = "MatMul", .shape = kMatMul},
      {.op_type = "MatMulIntegerToFloat", .domain = kMicrosoft, .float_type = "MatMul", .shape = kMatMul},

      {.op_type = "QLinearAdd", .domain = kMicrosoft, .float_type = "Add"},
      {.op_type = "QLinearAveragePool",
       .domain = kMicrosoft,
       .float_type = "AveragePool",
       .attributes = {"auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"},
       .differs = counts_overhang,
       .bound = bound_of_pool},
      {.op_type = "QLinearConcat", .domain = kMicrosoft, .float_type = "Concat", .attributes = {"axis"}},
      {.op_type = "QLinearGlobalAveragePool",
       .domain = kMicrosoft,
       .float_type = "GlobalAveragePool",
       .bound = bound_of_pool},
      {.op_type = "QLinearLeakyRelu",
       .domain = kMicrosoft,
       .float_type = "LeakyRelu",
       .attributes = {"alpha"}},
      {.op_type = "QLinearMul", .domain = kMicrosoft, .float_type = "Mul"},
      {.op_type = "QLinearSigmoid", .domain = kMicrosoft, .float_type = "Sigmoid"},
      {.op_type = "QLinearSoftmax",
       .domain = kMicrosoft,
       .float_type = "Softmax",
       .attributes = {"axis"},
       .names_opset = true},
      {.op_type = "QLinearWhere", .domain = kMicrosoft, .float_type = "Where", .passed = {0}},
  };
}

/// Operators on codes that are the form of no island.
constexpr std::string_view kOthers[] = {"ConvInteger", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul",
                                        "MatMulInteger", "QLinearReduceMean"};

/// Operators that make codes of ranges that each run finds.
constexpr std::string_view kDynamic[] = {"DynamicQuantizeLSTM", "DynamicQuantizeLinear",
                                         "DynamicQuantizeMatMul"};

bool is_one_of(std::span<const std::string_view> op_types, const Node& node) {
  return std::find(op_types.begin(), op_types.end(), node.op_type) != op_types.end();
}

/// The form of an integer node, or nullptr.
const IntegerForm* find_form(const Node& node) {
  for (const IntegerForm& form : integer_forms())
    if (node.op_type == form.op_type && node.domain == form.domain) return &form;
  return nullptr;
}

bool knows(const IntegerForm& form, std::string_view attribute) {
  return std::find(form.attributes.begin(), form.attributes.end(), attribute) != form.attributes.end();
}

}  // namespace

bool blends(const Graph& graph, const Node& node) {
  return node.domain.empty() && node.op_type == "Resize" &&
         resize_options(node, graph.opset()).mode == ResizeOptions::Mode::kLinear;
}

std::span<const IntegerForm> integer_forms() {
  static const std::vector<IntegerForm> forms = list_forms();
  return forms;
}

const IntegerForm* integer_form_of(const Node& node) {
  if (!node.domain.empty()) return nullptr;
  for (const IntegerForm& form : integer_forms())
    if (node.op_type == form.float_type) return &form;
  return nullptr;
}

QuantizationRule quantization_of(const Graph& graph, const Node& node) {
  const OpDef* def = try_find_op(graph, node);
  if (def == nullptr || fills(graph, node)) return QuantizationRule::kFloat;
  if (const IntegerForm* form = integer_form_of(node))
    return form->shape == IslandShape::kOperands ? QuantizationRule::kArithmetic
                                                 : QuantizationRule::kWeighted;
  if (node.domain.empty() && (node.op_type == "Relu" || node.op_type == "Clip"))
    return QuantizationRule::kActivation;
  if (def->moves_data || def->selects) return QuantizationRule::kPassThrough;
  const bool is_table = def->elementwise && def->max_inputs == 1;  // of 256 codes, in our engine
  return is_table ? QuantizationRule::kArithmetic : QuantizationRule::kFloat;
}

std::vector<ValueId> code_operands(const Graph& graph, const Node& node) {
  const IntegerForm* form = integer_form_of(node);
  if (form == nullptr && find_op(graph, node).elementwise) return node.inputs;
  if (form == nullptr || form->shape != IslandShape::kOperands) return {node.inputs[0]};
  std::vector<ValueId> operands;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (std::find(form->passed.begin(), form->passed.end(), i) == form->passed.end())
      operands.push_back(node.inputs[i]);
  return operands;
}

bool hands_codes_on(const Graph& graph, const Node& node) {
  const OpDef* def = try_find_op(graph, node);
  return def != nullptr && (def->moves_data || def->selects) && !fills(graph, node);
}

bool runs_on_codes(const Graph& graph, const Node& node, Runtime runtime) {
  if (!node.domain.empty() || quantization_of(graph, node) != QuantizationRule::kPassThrough) return false;
  if (node.op_type == "MaxPool") return node.outputs.size() == 1 && graph.opset() >= 12;
  if (node.op_type == "Resize") return !blends(graph, node) || runtime == Runtime::kOwn;
  return find_op(graph, node).moves_data;
}

bool is_integer_operator(const Node& node) {
  return find_form(node) != nullptr || is_one_of(kOthers, node);
}

bool is_integer_form(const Node& node) {
  return find_form(node) != nullptr;
}

bool finds_ranges(const Node& node) {
  return is_one_of(kDynamic, node);
}

bool makes_codes(const Node& node) {
  if (find_form(node) != nullptr) return slots_of(node).y_scale != kAnyNumber;
  return node.op_type == "QLinearReduceMean";
}

bool keeps_meaning_on_codes(const Node& node) {
  const IntegerForm* form = integer_form_of(node);
  if (form == nullptr) return true;
  const bool known = std::all_of(node.attributes.begin(), node.attributes.end(), [&](const auto& entry) {
    return knows(*form, entry.first) || is_idle(node, entry.first, entry.second);
  });
  return known && (form->differs == nullptr || !form->differs(node));
}

}  // namespace quantize
