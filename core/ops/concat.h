// The common part of Concat and QLinearConcat.
#pragma once

#include <optional>
#include <vector>

#include "core/graph.h"

namespace quantize {

/// The output's shape, as far as the inputs' are known. Errors: Error(kInvalidModel) if the attribute 'axis'
/// is missing or shapes do not fit.
std::optional<Shape> concat_shape(const Node& node, const std::vector<std::optional<Shape>>& inputs);

/// Copies the tensors one behind the other along the axis. Requires: one type and fitting shapes.
void concat_views(const Node& node, std::span<const TensorView> inputs, const MutableTensorView& y);

}  // namespace quantize
