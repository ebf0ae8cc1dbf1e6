// The cost of work, counted before it begins.
#include "calibration/statistics/budget.h"

#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;

TEST_CASE("needed_bytes: 3.5 times the constants, and the activations of every thread") {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 16});
  const Graph graph = open_model(b.build({b.node("Gemm", {x, b.random("w", {16, 8}), b.random("b", {8})})}));
  const uint64_t constants = 4 * (16 * 8 + 8), activations = 4 * (16 + 8);
  CHECK(needed_bytes(graph, 1) == 7 * constants / 2 + activations);
  CHECK(needed_bytes(graph, 3) == 7 * constants / 2 + 3 * activations);
  CHECK(macs_of(graph) == 16 * 8);
}
