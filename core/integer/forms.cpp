// The table of integer operators: one line each. An element-wise one on a single operand needs no more than its line
// here and its meaning; a function without a line becomes a table of codes in the engine and stays float in files.
#include "core/integer/forms.h"

#include <algorithm>

namespace quantize {

namespace {

constexpr std::string_view kMicrosoft = "com.microsoft";

/// True if the divisor of QLinearAveragePool counts places behind the padding, which ceil_mode has added.
bool counts_overhang(const Node& pool) {
  return pool.int_attribute("ceil_mode", 0) != 0 && pool.int_attribute("count_include_pad", 0) != 0;
}

std::vector<IntegerForm> list_forms() {
  const CodeSlots reads{{{0, 1, 2}}}, makes{{}, 1}, one{{{0, 1, 2}}, 3}, two{{{0, 1, 2}, {3, 4, 5}}, 6},
      gemm{two.operands, 7}, to_float{{{0, 2, 4}, {1, 3, 5}}}, behind_result{{{2, 3, 4}}, 0};
  using enum IslandShape;
  return {
      {"DequantizeLinear", "", reads},
      {"QuantizeLinear", "", makes},

      {"QLinearConv",
       "",
       two,
       0,
       "Conv",
       kConv,
       {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}},
      {"QLinearConv",
       "",
       two,
       0,
       "ConvTranspose",
       kConvTranspose,
       {"auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads",
        "strides"}},
      {"QGemm", kMicrosoft, gemm, 0, "Gemm", kGemm, {"alpha", "transA", "transB"}},
      {"QLinearMatMul", "", two, 0, "MatMul", kMatMul},
      {"MatMulIntegerToFloat", kMicrosoft, to_float, 0, "MatMul", kMatMul},

      {"QLinearAdd", kMicrosoft, two, 0, "Add", kPair},
      {"QLinearMul", kMicrosoft, two, 0, "Mul", kPair},
      {"QLinearConcat", kMicrosoft, behind_result, 3, "Concat", kConcat, {"axis"}},

      {"QLinearAveragePool",
       kMicrosoft,
       one,
       0,
       "AveragePool",
       kFunction,
       {"auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"},
       counts_overhang},
      {"QLinearGlobalAveragePool", kMicrosoft, one, 0, "GlobalAveragePool", kFunction},
      {"QLinearLeakyRelu", kMicrosoft, one, 0, "LeakyRelu", kFunction, {"alpha"}},
      {"QLinearSigmoid", kMicrosoft, one, 0, "Sigmoid", kFunction},
      {"QLinearSoftmax", kMicrosoft, one, 0, "Softmax", kFunction, {"axis"}, nullptr, true},
  };
}

/// Operators on codes that files may have and the program does not compute.
constexpr std::string_view kOthers[] = {"ConvInteger", "MatMulInteger", "QLinearReduceMean", "QLinearWhere"};

/// The form of an integer node, or nullptr.
const IntegerForm* find_form(const Node& node) {
  for (const IntegerForm& form : integer_forms())
    if (node.op_type == form.op_type && node.domain == form.domain) return &form;
  return nullptr;
}

bool knows(const IntegerForm& form, std::string_view attribute) {
  return std::find(form.attributes.begin(), form.attributes.end(), attribute) != form.attributes.end();
}

/// True if an attribute that an integer operator lacks has the value that its absence means: all of them are
/// factors or distances between taps.
bool is_one(const Attribute& attribute) {
  if (const auto* value = std::get_if<float>(&attribute)) return *value == 1;
  const auto* values = std::get_if<std::vector<int64_t>>(&attribute);
  return values != nullptr &&
         std::all_of(values->begin(), values->end(), [](int64_t value) { return value == 1; });
}

/// The attributes that newer opsets gave to float operators, and those that integer ones left out.
bool is_idle(const Node& node, std::string_view name, const Attribute& attribute) {
  const bool has_neutral_one =
      (node.op_type == "AveragePool" && name == "dilations") || (node.op_type == "Gemm" && name == "beta");
  return has_neutral_one && is_one(attribute);
}

}  // namespace

std::span<const IntegerForm> integer_forms() {
  static const std::vector<IntegerForm> forms = list_forms();
  return forms;
}

const IntegerForm* integer_form_of(const Node& node) {
  if (!node.domain.empty()) return nullptr;
  for (const IntegerForm& form : integer_forms())
    if (!form.float_type.empty() && node.op_type == form.float_type) return &form;
  return nullptr;
}

CodeSlots slots_of(const Node& node) {
  const IntegerForm* form = find_form(node);
  if (form == nullptr) return {};
  CodeSlots slots = form->slots;
  if (slots.y_scale != kAnyNumber && node.input(slots.y_scale) == kNoValue) slots.y_scale = kAnyNumber;
  if (form->repeats_every == 0) return slots;
  const size_t every = form->repeats_every;
  for (CodeOperand last = slots.operands.back(); last.codes + every < node.inputs.size();) {
    last = {last.codes + every, last.scale + every, last.zero_point + every};
    slots.operands.push_back(last);
  }
  return slots;
}

bool is_integer_operator(const Node& node) {
  if (const IntegerForm* form = find_form(node)) return form->shape != IslandShape::kNone;
  return std::find(std::begin(kOthers), std::end(kOthers), node.op_type) != std::end(kOthers);
}

bool makes_reals(const Node& node) {
  return find_form(node) != nullptr && slots_of(node).y_scale == kAnyNumber;
}

bool keeps_meaning_on_codes(const Node& node) {
  const IntegerForm* form = integer_form_of(node);
  if (form == nullptr) return true;
  const bool known = std::all_of(node.attributes.begin(), node.attributes.end(), [&](const auto& entry) {
    return knows(*form, entry.first) || is_idle(node, entry.first, entry.second);
  });
  return known && (form->differs == nullptr || !form->differs(node));
}

void drop_idle_attributes(Node& node) {
  const IntegerForm* form = integer_form_of(node);
  if (form == nullptr) return;
  std::erase_if(node.attributes, [&](const auto& entry) {
    return !knows(*form, entry.first) && is_idle(node, entry.first, entry.second);
  });
}

}  // namespace quantize
