// MatMulNBits as the engine runs it, against the reference.
#include <catch2/catch.hpp>

#include "core/engine/engine.h"
#include "tests/support/graph_builder.h"
#include "tests/support/quantized_graph.h"

using namespace quantize;
using test::GraphBuilder;

TEST_CASE("MatMulNBits: bits, blocks, zero points and biases, at every level") {
  const int64_t bits = GENERATE(2, 4, 8), block = 16, k = GENERATE(32, 41), n = 19, blocks = (k + 15) / 16;
  const bool has_zero_points = GENERATE(false, true), has_bias = GENERATE(false, true);
  const auto bytes = [](const Shape& shape) {
    Tensor tensor(DataType::kU8, shape);
    for (int64_t i = 0; i < tensor.size(); ++i)
      tensor.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(i * 37 + i / 7);
    return tensor;
  };
  GraphBuilder b;
  const ValueId zero_points =
      has_zero_points ? b.constant("z", bytes({n, (blocks * bits + 7) / 8})) : kNoValue;
  const ValueId y = b.node("MatMulNBits",
                           {b.input("x", {2, 3, k}), b.constant("w", bytes({n, blocks, block * bits / 8})),
                            b.random("s", {n * blocks}, 0.01f, 0.02f), zero_points, kNoValue,
                            has_bias ? b.random("bias", {n}) : kNoValue},
                           {{"K", k}, {"N", n}, {"bits", bits}, {"block_size", block}});
  b.graph().nodes.back().domain = "com.microsoft";
  b.graph().info.opsets["com.microsoft"] = 1;
  const Graph graph = b.build({y});
  const std::vector<Tensor> inputs = test::random_inputs(graph);
  const Tensor expected = test::reference_outputs(graph, inputs)[0];
  for (Isa isa : supported_isas())
    for (int threads : {1, 3}) {
      const Tensor actual = Engine(graph, {.kernels = &kernels_for(isa), .threads = threads}).run(inputs)[0];
      REQUIRE(actual.shape() == expected.shape());
      CHECK(actual.dtype() == expected.dtype());
      for (int64_t i = 0; i < actual.size(); ++i)
        CHECK(actual.data<float>()[i] == Approx(expected.data<float>()[i]).epsilon(1e-4).margin(1e-4));
    }
}
