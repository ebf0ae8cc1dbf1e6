// Checks that a pass left what a graph computes as it was.
#pragma once

#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

namespace quantize::test {

/// The graph after one pass, with shapes inferred before and after it.
inline Graph after_pass(const Graph& graph, void (*pass)(Graph&)) {
  Graph result = graph;
  infer_shapes(result);
  pass(result);
  infer_shapes(result);
  return result;
}

/// Both graphs are valid, have inputs and outputs of the same names, and compute the same from random inputs:
/// within `tolerance` of each output's range.
inline void check_same(const Graph& before, const Graph& after, double tolerance = 1e-4) {
  REQUIRE_NOTHROW(validate(after));
  REQUIRE(before.inputs.size() == after.inputs.size());
  REQUIRE(before.outputs.size() == after.outputs.size());
  for (size_t i = 0; i < before.inputs.size(); ++i)
    CHECK(before.value(before.inputs[i]).name == after.value(after.inputs[i]).name);
  for (size_t i = 0; i < before.outputs.size(); ++i)
    CHECK(before.value(before.outputs[i]).name == after.value(after.outputs[i]).name);
  for (uint32_t seed : {1u, 100u}) {
    const auto inputs = random_inputs(before, seed);
    const auto expected = run_graph(before, inputs), actual = run_graph(after, inputs);
    for (size_t i = 0; i < expected.size(); ++i) {
      INFO("output " << before.value(before.outputs[i]).name << ", seed " << seed);
      if (expected[i].dtype() == DataType::kF32)
        CHECK(relative_difference(actual[i], expected[i]) <= tolerance);
      else
        CHECK(equal(actual[i], expected[i]));
    }
  }
}

}  // namespace quantize::test
