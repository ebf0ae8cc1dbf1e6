// Places buffers in one arena so that those alive at the same time do not overlap.
#include <algorithm>
#include <numeric>

#include "core/engine/program.h"

namespace quantize {

namespace {

constexpr size_t kAlignment = 64;

bool alive_together(const BufferRequest& a, const BufferRequest& b) {
  return a.first_step <= b.last_step && b.first_step <= a.last_step;
}

}  // namespace

MemoryPlan plan_memory(std::span<const BufferRequest> requests) {
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return requests[a].bytes > requests[b].bytes; });
  MemoryPlan plan;
  plan.offsets.assign(requests.size(), 0);
  std::vector<size_t> placed;  // ascending offsets
  for (size_t current : order) {
    const size_t bytes = (requests[current].bytes + kAlignment - 1) / kAlignment * kAlignment;
    size_t offset = 0;
    for (size_t other : placed) {
      if (!alive_together(requests[current], requests[other])) continue;
      if (offset + bytes <= plan.offsets[other]) break;
      const size_t other_bytes = (requests[other].bytes + kAlignment - 1) / kAlignment * kAlignment;
      offset = std::max(offset, plan.offsets[other] + other_bytes);
    }
    plan.offsets[current] = offset;
    plan.total_bytes = std::max(plan.total_bytes, offset + bytes);
    const auto place =
        std::upper_bound(placed.begin(), placed.end(), offset,
                         [&](size_t value, size_t other) { return value < plan.offsets[other]; });
    placed.insert(place, current);
  }
  return plan;
}

}  // namespace quantize
