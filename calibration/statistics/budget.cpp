#include "calibration/statistics/budget.h"

#include <algorithm>

#include "core/ops/macs.h"

namespace quantize {

uint64_t needed_bytes(const Graph& graph, int threads) {
  uint64_t constants = 0, activations = 0;
  for (const Value& value : graph.values) {
    if (value.is_constant()) {
      constants += value.initializer.byte_size();
      continue;
    }
    Shape shape = value.shape.value_or(Shape{});
    std::replace(shape.begin(), shape.end(), kUnknownDim, int64_t{1});
    activations += static_cast<uint64_t>(element_count(shape)) * size_of(value.dtype);
  }
  return 7 * constants / 2 + static_cast<uint64_t>(threads) * activations;
}

uint64_t macs_of(const Graph& graph) {
  uint64_t macs = 0;
  for (const Node& node : graph.nodes) macs += macs_of(graph, node);
  return macs;
}

}  // namespace quantize
