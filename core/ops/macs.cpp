#include "core/ops/macs.h"

#include <algorithm>

#include "core/ops/op.h"
#include "core/ops/weight_layout.h"

namespace quantize {

namespace {

Shape known_shape(const Graph& graph, ValueId id) {
  Shape shape = id == kNoValue ? Shape{} : graph.value(id).shape.value_or(Shape{});
  std::replace(shape.begin(), shape.end(), kUnknownDim, int64_t{1});
  return shape;
}

}  // namespace

uint64_t macs_of(const Graph& graph, const Node& node) {
  const OpDef& def = find_op(graph, node);
  if (def.weight_layout == nullptr) return 0;
  const auto layout = def.weight_layout(node, known_shape(graph, node.input(def.weight_input)));
  if (!layout) return 0;
  const auto outputs = static_cast<double>(element_count(known_shape(graph, node.output(0))));
  return static_cast<uint64_t>(outputs * static_cast<double>(layout->inputs * layout->taps) * layout->uses);
}

}  // namespace quantize
