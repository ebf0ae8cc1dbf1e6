// The list of all modes: one line each. A file modes/<name>.cpp defines its constant.
#include "core/quantization/modes/mode.h"

// clang-format off
#define QUANTIZE_ALL_MODES(X) \
  X(kStaticMode) \
  X(kDynamicMode) \
  X(kWeightOnlyMode) \
  X(kFloatMode)
// clang-format on

namespace quantize {

#define QUANTIZE_DECLARE(mode) extern const Mode mode;
QUANTIZE_ALL_MODES(QUANTIZE_DECLARE)
#undef QUANTIZE_DECLARE

std::span<const Mode* const> all_modes() {
#define QUANTIZE_ENTRY(mode) &mode,
  static constexpr const Mode* kModes[] = {QUANTIZE_ALL_MODES(QUANTIZE_ENTRY)};
#undef QUANTIZE_ENTRY
  return kModes;
}

}  // namespace quantize
