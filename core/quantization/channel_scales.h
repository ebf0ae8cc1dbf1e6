// Scales per channel of an activation.
#pragma once

#include <vector>

#include "core/quant_params.h"

namespace quantize {

/// One scale and zero point per channel (axis 1), which hold all that was seen of it, and 0. Channels that
/// are always 0 take the finest scale there is, so that biases behind them stay fine, too.
QuantParams choose_channel_params(const std::vector<Range>& seen, const QuantType& type);

}  // namespace quantize
