// The list of all targets: one line each. A file targets/<name>.cpp defines its constant.
#include "core/quantization/target.h"

// clang-format off
#define QUANTIZE_ALL_TARGETS(X) \
  X(kOrtX86) \
  X(kOrtArm) \
  X(kOpenVino) \
  X(kTensorRt) \
  X(kQnn) \
  X(kTfLite) \
  X(kVitis) \
  X(kGeneric) \
  X(kNative)
// clang-format on

namespace quantize {

#define QUANTIZE_DECLARE(target) extern const TargetProfile target;
QUANTIZE_ALL_TARGETS(QUANTIZE_DECLARE)
#undef QUANTIZE_DECLARE

std::span<const TargetProfile* const> all_targets() {
#define QUANTIZE_ENTRY(target) &target,
  static constexpr const TargetProfile* kTargets[] = {QUANTIZE_ALL_TARGETS(QUANTIZE_ENTRY)};
#undef QUANTIZE_ENTRY
  return kTargets;
}

}  // namespace quantize
