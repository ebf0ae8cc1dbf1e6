// The list of such attributes.
#include "core/passes/idle_attributes.h"

#include <algorithm>

namespace quantize {

namespace {

/// True if all numbers of the attribute are 1: all of them are factors or distances between taps.
bool is_one(const Attribute& attribute) {
  if (const auto* value = std::get_if<float>(&attribute)) return *value == 1;
  const auto* values = std::get_if<std::vector<int64_t>>(&attribute);
  return values != nullptr &&
         std::all_of(values->begin(), values->end(), [](int64_t value) { return value == 1; });
}

}  // namespace

bool is_idle(const Node& node, const std::string& name, const Attribute& attribute) {
  const bool has_neutral_one =
      (node.op_type == "AveragePool" && name == "dilations") || (node.op_type == "Gemm" && name == "beta");
  return node.domain.empty() && has_neutral_one && is_one(attribute);
}

void drop_idle_attributes(Node& node) {
  std::erase_if(node.attributes, [&](const auto& entry) { return is_idle(node, entry.first, entry.second); });
}

}  // namespace quantize
