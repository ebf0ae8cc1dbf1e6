// Model files: one that is read and prepared runs once, unless that takes long.
#include <algorithm>

#include "calibration/statistics/budget.h"
#include "core/passes/passes.h"
#include "onnx_io/onnx_io.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/graph_builder.h"

namespace quantize::test {

namespace {

constexpr uint64_t kMostBytes = 64 << 20, kMostMacs = 10'000'000;

/// Zeros for every input, with 2 in place of unknown extents.
std::vector<Tensor> zeros_for(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (ValueId id : graph.inputs) {
    Shape shape = graph.value(id).shape.value_or(Shape{1});
    std::ranges::replace(shape, kUnknownDim, 2);
    inputs.emplace_back(graph.value(id).dtype, shape);
  }
  return inputs;
}

}  // namespace

void fuzz_model(std::span<const uint8_t> bytes) {
  const Graph graph = open_model(load_model(file_with(bytes, ".onnx")), kMinOutputOpset);
  if (!has_static_shapes(graph) || needed_bytes(graph, 1) > kMostBytes || macs_of(graph) > kMostMacs) return;
  run_graph(graph, zeros_for(graph));
}

}  // namespace quantize::test
