// The attributes of integer operators. Read kIntegerForms first.
#include "core/integer/integer_forms.h"

#include <algorithm>
#include <string_view>

namespace quantize {

namespace {

struct IntegerForm {
  std::string_view op_type;                     // the float operator
  std::vector<std::string_view> attributes;     // all that the integer operator has of the float one's
  bool (*differs)(const Node& node) = nullptr;  // true if they mean something else to it here
};

/// Elements that ceil_mode adds behind the padding count in the divisor of QLinearAveragePool where the
/// padding does.
bool counts_overhang(const Node& pool) {
  return pool.int_attribute("ceil_mode", 0) != 0 && pool.int_attribute("count_include_pad", 0) != 0;
}

const IntegerForm kIntegerForms[] = {
    {"Add", {}},
    {"AveragePool",
     {"auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"},
     counts_overhang},
    {"Concat", {"axis"}},
    {"Conv", {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}},
    {"ConvTranspose",
     {"auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads", "strides"}},
    {"Gemm", {"alpha", "transA", "transB"}},
    {"GlobalAveragePool", {}},
    {"LeakyRelu", {"alpha"}},
    {"MatMul", {}},
    {"Mul", {}},
    {"Sigmoid", {}},
    {"Softmax", {"axis"}},
};

const IntegerForm* find_form(const Node& node) {
  if (!node.domain.empty()) return nullptr;
  for (const IntegerForm& form : kIntegerForms)
    if (node.op_type == form.op_type) return &form;
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

bool keeps_meaning_on_codes(const Node& node) {
  const IntegerForm* form = find_form(node);
  if (form == nullptr) return true;
  const bool known = std::all_of(node.attributes.begin(), node.attributes.end(), [&](const auto& entry) {
    return knows(*form, entry.first) || is_idle(node, entry.first, entry.second);
  });
  return known && (form->differs == nullptr || !form->differs(node));
}

void drop_idle_attributes(Node& node) {
  const IntegerForm* form = find_form(node);
  if (form == nullptr) return;
  std::erase_if(node.attributes, [&](const auto& entry) {
    return !knows(*form, entry.first) && is_idle(node, entry.first, entry.second);
  });
}

}  // namespace quantize
