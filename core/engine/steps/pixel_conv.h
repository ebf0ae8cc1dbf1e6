// QLinearConv and FusedConv on pixels.
#pragma once

#include "core/graph.h"

namespace quantize {

/// True for a QLinearConv whose image the engine reads as pixels: two spatial axes, u8 image, constant
/// weights of zero point 0 and constant scales.
bool is_pixel_conv(const Graph& graph, const Node& node);

}  // namespace quantize
