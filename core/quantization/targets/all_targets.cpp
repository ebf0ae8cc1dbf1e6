// The list of all targets: one line each.
#include <string_view>

#include "core/error.h"
#include "core/integer/forms.h"
#include "core/quantization/target.h"

namespace quantize {

extern const TargetProfile kNative;
extern const TargetProfile kOrtX86;

std::span<const TargetProfile* const> all_targets() {
  static constexpr const TargetProfile* kTargets[] = {&kOrtX86, &kNative};
  return kTargets;
}

const TargetProfile& find_target(const std::string& name) {
  std::string names;
  for (const TargetProfile* target : all_targets()) {
    if (name == target->name) return *target;
    names += std::string(names.empty() ? "" : ", ") + target->name;
  }
  throw Error(ErrorKind::kInvalidArgument, "there is no target '" + name + "'; the targets are: " + names);
}

const IntegerOperator* TargetProfile::find(const Graph& graph, const Node& node) const {
  if (!node.domain.empty() || !keeps_meaning_on_codes(node) || (mislays != nullptr && mislays(graph, node)))
    return nullptr;
  for (const IntegerOperator& candidate : operators) {
    if (node.op_type != candidate.op_type) continue;
    const bool fits =
        candidate.attribute == nullptr ||
        node.string_attribute(candidate.attribute, candidate.attribute_value) == candidate.attribute_value;
    return fits && (candidate.fits == nullptr || candidate.fits(graph, node)) ? &candidate : nullptr;
  }
  return nullptr;
}

const UnaskedFusion* TargetProfile::find_unasked(const Node& node) const {
  if (!node.domain.empty()) return nullptr;
  for (const UnaskedFusion& fusion : unasked_fusions)
    if (node.op_type == fusion.op_type) return &fusion;
  return nullptr;
}

bool TargetProfile::multiplies(DataType activation, DataType weight) const {
  for (const TypePair& pair : type_pairs)
    if (pair.activation == activation && pair.weight == weight) return true;
  return false;
}

}  // namespace quantize
