// Along which axis of each value the channels lie.
#pragma once

#include <optional>
#include <vector>

#include "core/graph.h"

namespace quantize {

/// The axis, from the front, per value; nothing where the graph does not tell.
using ChannelAxes = std::vector<std::optional<size_t>>;

/// The axis along which what is known per channel of a value is of use: that which the first layer of
/// constant weights behind it multiplies (axis 1 for a Conv, the last one for a MatMul or Gemm), followed
/// back through operators that keep channels apart; where there is no such layer, that which the layer before
/// it writes, followed forward.
///
/// Requires: ranks are inferred as far as they can be; a value of unknown rank has no axis. Errors: those of
/// find_op.
ChannelAxes channel_axes(const Graph& graph, const GraphIndex& index);

/// Where nothing else is known: the last axis of two or three, axis 1 of more; nothing below two.
std::optional<size_t> default_channel_axis(size_t rank);

}  // namespace quantize
