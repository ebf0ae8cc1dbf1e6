// Pad whose negative pads cut off: the rest is what the other side is filled from. The values are ONNX Runtime's.
#include <catch2/catch.hpp>

#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

TEST_CASE("Pad cuts off first, then fills from what is left") {
  const auto [mode, begin, end, expected] =
      GENERATE(table<std::string, int64_t, int64_t, std::vector<float>>({
          {"edge", -2, 3, {2, 3, 4, 5, 6, 7, 7, 7, 7}},
          {"edge", 2, -6, {0, 0, 0, 1}},
          {"reflect", -3, 4, {3, 4, 5, 6, 7, 6, 5, 4, 3}},
          {"reflect", 1, -6, {1, 0, 1}},
          {"wrap", -1, 2, {1, 2, 3, 4, 5, 6, 7, 1, 2}},
          {"wrap", 2, -1, {5, 6, 0, 1, 2, 3, 4, 5, 6}},
          {"wrap", 2, -6, {0, 1, 0, 1}},
          {"constant", -1, 2, {1, 2, 3, 4, 5, 6, 7, 0, 0}},
      }));
  INFO(mode << " " << begin << " " << end);
  GraphBuilder b(21);
  const ValueId pads = b.constant("pads", Tensor::of<int64_t>({2}, {begin, end}));
  const Graph graph = b.build({b.node("Pad", {b.input("x", {8}), pads}, {{"mode", mode}})});
  const Tensor y = run_graph(graph, {Tensor::of<float>({8}, {0, 1, 2, 3, 4, 5, 6, 7})})[0];
  CHECK(y.to_vector<float>() == expected);
}
