#include "calibration/search/choose_bits.h"

#include <algorithm>

namespace quantize {

namespace {

/// A step from one choice of some weights to a larger one.
struct Step {
  size_t weights, to;
  int64_t bytes;
  double gain;  // of error

  /// Compared without a division: bytes are > 0.
  bool is_better_than(const Step& other) const {
    return gain * static_cast<double>(other.bytes) > other.gain * static_cast<double>(bytes);
  }
};

/// The places of the choices on the lower convex hull, from the fewest bytes on: each takes more error away for its
/// bytes than the next.
std::vector<size_t> hull(const std::vector<SizeChoice>& choices) {
  std::vector<size_t> order(choices.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return choices[a].bytes != choices[b].bytes ? choices[a].bytes < choices[b].bytes
                                                : choices[a].error < choices[b].error;
  });
  std::vector<size_t> kept;
  const auto step = [&](size_t from, size_t to) {
    return Step{0, to, choices[to].bytes - choices[from].bytes, choices[from].error - choices[to].error};
  };
  for (const size_t next : order) {
    if (!kept.empty() && step(kept.back(), next).gain <= 0) continue;
    while (kept.size() > 1 &&
           !step(kept[kept.size() - 2], kept.back()).is_better_than(step(kept.back(), next)))
      kept.pop_back();
    kept.push_back(next);
  }
  return kept;
}

}  // namespace

std::vector<size_t> choose_bits(const std::vector<std::vector<SizeChoice>>& weights, int64_t limit) {
  std::vector<size_t> chosen;
  std::vector<Step> steps;
  for (size_t w = 0; w < weights.size(); ++w) {
    const std::vector<size_t> kept = hull(weights[w]);
    chosen.push_back(kept.front());
    for (size_t k = 1; k < kept.size(); ++k) {
      const SizeChoice &from = weights[w][kept[k - 1]], &to = weights[w][kept[k]];
      steps.push_back({w, kept[k], to.bytes - from.bytes, from.error - to.error});
    }
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const Step& a, const Step& b) { return a.is_better_than(b); });
  int64_t left = limit - bytes_of(weights, chosen);
  std::vector<bool> stopped(weights.size(), false);  // a step of these weights did not fit
  for (const Step& step : steps) {
    if (stopped[step.weights]) continue;
    if (step.bytes > left) {
      stopped[step.weights] = true;
      continue;
    }
    chosen[step.weights] = step.to;
    left -= step.bytes;
  }
  return chosen;
}

int64_t bytes_of(const std::vector<std::vector<SizeChoice>>& weights, const std::vector<size_t>& chosen) {
  int64_t bytes = 0;
  for (size_t w = 0; w < weights.size(); ++w) bytes += weights[w][chosen[w]].bytes;
  return bytes;
}

}  // namespace quantize
