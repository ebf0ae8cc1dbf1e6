#include "calibration/statistics/recent_extremes.h"

#include <algorithm>
#include <tuple>

namespace quantize {

bool operator<(const SampleExtremes& a, const SampleExtremes& b) {
  return std::tie(a.position, a.min, a.max) < std::tie(b.position, b.min, b.max);
}

void RecentExtremes::add(const RecentExtremes& other) {
  const auto own = static_cast<std::ptrdiff_t>(samples.size());
  samples.insert(samples.end(), other.samples.begin(), other.samples.end());
  std::inplace_merge(samples.begin(), samples.begin() + own, samples.end());
  if (samples.size() > kMost) samples.erase(samples.begin(), samples.end() - kMost);
}

}  // namespace quantize
