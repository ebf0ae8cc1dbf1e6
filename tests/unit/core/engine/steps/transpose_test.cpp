// Transpose of bytes, as the engine runs it, against the reference.
#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>

#include "core/engine/engine.h"
#include "tests/support/graph_builder.h"
#include "tests/support/quantized_graph.h"

using namespace quantize;
using test::GraphBuilder;

TEST_CASE("Transpose: bytes in every order of the axes, at every level, on several threads") {
  const Shape shape =
      GENERATE(Shape{3, 1, 70, 33}, Shape{2, 5, 16, 64}, Shape{1, 197, 3, 64}, Shape{130, 7, 1, 5});
  Tensor x(DataType::kU8, shape);
  for (int64_t i = 0; i < x.size(); ++i)
    x.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(i * 37 + i / 251);
  std::vector<int64_t> perm(shape.size());
  std::iota(perm.begin(), perm.end(), 0);
  do {
    GraphBuilder b;
    const ValueId y = b.node("Transpose", {b.input("x", shape, DataType::kU8)}, {{"perm", perm}});
    const Graph graph = b.build({y});
    const std::vector<Tensor> expected = test::reference_outputs(graph, {x});
    for (Isa isa : supported_isas())
      for (int threads : {1, 3}) {
        Engine engine(graph, {.kernels = &kernels_for(isa), .threads = threads});
        CHECK(equal(engine.run({x})[0], expected[0]));
      }
  } while (std::next_permutation(perm.begin(), perm.end()));
}
