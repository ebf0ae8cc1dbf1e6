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

QuantParams choose_byte_params(const ImageBytes& bytes, QuantParams params) {
  const float step = params.scale[0];
  const int32_t middle = params.zero_point[0];
  params.axis = 1;
  params.scale.clear();
  params.zero_point.clear();
  for (const double scale : bytes.scale) params.scale.push_back(step / static_cast<float>(1 / scale));
  for (const double zero : bytes.zero)
    params.zero_point.push_back(static_cast<int32_t>(std::nearbyint(static_cast<float>(zero) / step)) +
                                middle);
  return params;
}

}  // namespace quantize
