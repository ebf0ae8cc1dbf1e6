// Scales per channel of an activation.
#pragma once

#include <vector>

#include "core/quant_params.h"
#include "core/range_table.h"

namespace quantize {

/// One scale and zero point per channel (axis 1). They hold 0 and twice the range that was seen of the
/// channel, but no more than the range of all channels: other images exceed the extremes of one channel more
/// often than those of all. Steps of twice the width are still fine: 64 / (12 * 127^2) = 0.03 % of noise
/// (rounding_noise.h). Channels that are always 0 take the finest scale there is, so that biases behind them
/// stay fine, too.
QuantParams choose_channel_params(const std::vector<Range>& seen, const QuantType& type);

/// Scale and zero point of each channel by which the bytes of an image become the codes that `params` make of
/// image / scale + zero.
QuantParams choose_byte_params(const ImageBytes& bytes, QuantParams params);

}  // namespace quantize
