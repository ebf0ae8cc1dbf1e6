// A small graph and its plan, made with the ranges of one random run.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/passes/passes.h"
#include "core/quantization/plan_quantization.h"
#include "tests/support/measured_ranges.h"

namespace quantize::test {

inline const TargetProfile& target() {
  return find_target("ort-x86");
}

struct Planned : PlannedModel {
  const PlannedNode& node(const std::string& op_type, size_t nth = 0) const {
    for (size_t n = 0; n < graph.nodes.size(); ++n)
      if (graph.nodes[n].op_type == op_type && nth-- == 0) return plan.nodes[n];
    throw std::out_of_range(op_type);
  }
  Placement placement(const std::string& op_type, size_t nth = 0) const {
    return node(op_type, nth).placement;
  }
  const PlannedValue& value(const std::string& name) const {
    return plan.values[static_cast<size_t>(graph.find_value(name))];
  }
};

inline Planned plan_of(GraphBuilder& b, std::vector<ValueId> outputs, const QuantizationScheme& scheme = {},
                       const std::function<void(RangeTable&)>& change = {},
                       const TargetProfile& profile = target()) {
  Graph graph = b.build(std::move(outputs));
  infer_shapes(graph);
  RangeTable ranges = measured_ranges(graph);
  if (change) change(ranges);
  return {plan_quantization(graph, ranges, scheme, profile)};
}

inline ValueId conv(GraphBuilder& b, ValueId x, int64_t inputs, int64_t outputs) {
  const std::string name = "w" + std::to_string(b.graph().nodes.size());
  return b.node("Conv", {x, b.random(name, {outputs, inputs, 1, 1})});
}

}  // namespace quantize::test
