// The check of an index.
#include "core/ops/support/index.h"

#include <string>

#include "core/ops/support/operands.h"

namespace quantize {

int64_t checked_index(int64_t i, int64_t extent) {
  if (i < -extent || i >= extent)
    invalid_model("index " + std::to_string(i) + " is outside an extent of " + std::to_string(extent));
  return i < 0 ? i + extent : i;
}

}  // namespace quantize
