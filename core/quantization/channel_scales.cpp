#include "core/quantization/channel_scales.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quantize {

QuantParams choose_channel_params(const std::vector<Range>& seen, const QuantType& type) {
  Range all;
  for (const Range& range : seen) all = {std::min(all.min, range.min), std::max(all.max, range.max)};
  std::vector<Range> ranges;
  for (const Range& range : seen)
    ranges.push_back(
        {std::max(all.min, 2 * std::min(range.min, 0.0f)), std::min(all.max, 2 * std::max(range.max, 0.0f))});
  QuantParams params = choose_quant_params(ranges, type, 1);
  const auto is_dead = [&](size_t c) { return ranges[c].min == ranges[c].max; };
  float finest = std::numeric_limits<float>::infinity();
  for (size_t c = 0; c < ranges.size(); ++c)
    if (!is_dead(c)) finest = std::min(finest, params.scale[c]);
  for (size_t c = 0; c < ranges.size(); ++c)
    if (is_dead(c) && std::isfinite(finest)) params.scale[c] = finest;
  return params;
}

}  // namespace quantize
