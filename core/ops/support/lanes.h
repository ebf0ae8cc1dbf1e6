// Reductions of many elements to one, fast without changing the order behind the compiler's back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace quantize {

/// combine(start, x[0], x[1], ...) in eight interleaved partial results: short chains, of which the compiler
/// makes vectors. The order is always the same. `start` is the neutral element of `combine`.
template <typename Combine>
float reduce_lanes(const float* x, int64_t count, float start, Combine combine) {
  constexpr int64_t kLanes = 8;
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, start);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] = combine(lanes[lane], x[i + lane]);
  for (; i < count; ++i) lanes[0] = combine(lanes[0], x[i]);
  for (int64_t lane = 1; lane < kLanes; ++lane) lanes[0] = combine(lanes[0], lanes[lane]);
  return lanes[0];
}

/// x[0] + x[1] + ... in the lanes of reduce_lanes; 0 for none.
inline float sum_lanes(const float* x, int64_t count) {
  return reduce_lanes(x, count, 0.0f, [](float a, float b) { return a + b; });
}

/// term(x[0]) + term(x[1]) + ... in double, in the same lanes.
template <typename Term>
double sum_terms(const float* x, int64_t count, Term term) {
  constexpr int64_t kLanes = 8;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(x[i + lane]);
  for (; i < count; ++i) lanes[0] += term(x[i]);
  for (int64_t lane = 1; lane < kLanes; ++lane) lanes[0] += lanes[lane];
  return lanes[0];
}

/// The largest of the elements; the lowest float for none.
inline float max_lanes(const float* x, int64_t count) {
  return reduce_lanes(x, count, std::numeric_limits<float>::lowest(),
                      [](float a, float b) { return std::max(a, b); });
}

}  // namespace quantize
