// The options of a Resize or Upsample, as far as they are known before a run.
#pragma once

#include <optional>
#include <vector>

#include "core/graph.h"
#include "core/ops/support/resample.h"

namespace quantize {

/// The axes of its input, with the extents and scales of the output; nothing if an operand but the input is computed.
/// Requires: the shape of the input is static. Errors: Error(kInvalidModel) for operands that do not fit.
std::optional<std::vector<ResizeAxis>> constant_resize_axes(const Graph& graph, const Node& node);

}  // namespace quantize
