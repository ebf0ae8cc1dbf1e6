// Operators that the engine computes on codes by a table.
#include <catch2/catch.hpp>

#include "tests/support/check_engine.h"
#include "tests/support/planned_graph.h"

namespace quantize {

namespace {

ValueId network(test::GraphBuilder& b, const char* op_type) {
  const ValueId x = b.input("x", {1, 3, 8, 8});
  return test::conv(b, b.node(op_type, {test::conv(b, x, 3, 16)}), 16, 2);
}

}  // namespace

TEST_CASE("native: Softsign is a table of codes, the same at every level", "[native]") {
  test::GraphBuilder planned;
  const ValueId y = network(planned, "Softsign");
  const test::Planned p = test::plan_of(planned, {y}, {}, {}, find_target("native"));
  CHECK(p.placement("Softsign") == Placement::kInteger);
  CHECK(test::plan_of(planned, {y}).placement("Softsign") == Placement::kFloat);

  test::GraphBuilder b;
  const ValueId output = network(b, "Softsign");
  test::check_engine(test::quantized_graph(b.build({output})), {test::random_tensor({1, 3, 8, 8}, 1)});
}

}  // namespace quantize
