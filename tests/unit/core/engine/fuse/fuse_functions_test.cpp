// Functions in several operators become one step, and compute what they did.
#include <catch2/catch.hpp>

#include "core/engine/engine.h"
#include "core/engine/fuse/fuse_functions.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"
#include "tests/support/quantized_graph.h"

namespace quantize {

using test::GraphBuilder;

namespace {

ValueId gelu(GraphBuilder& b, ValueId x, Shape constants = {}) {
  const auto number = [&](float value) {
    Tensor tensor(DataType::kF32, constants);
    tensor.mutable_data<float>()[0] = value;
    return b.constant("c" + std::to_string(b.graph().values.size()), tensor);
  };
  const ValueId erf = b.node("Erf", {b.node("Div", {x, number(1.41421356f)})});
  return b.node("Mul", {b.node("Mul", {x, b.node("Add", {erf, number(1)})}), number(0.5f)});
}

Graph fused(Graph graph, const std::vector<bool>& keep = {}) {
  infer_shapes(graph);
  fuse_functions(graph, keep);
  validate(graph);
  return graph;
}

/// True if functions are computed by activation_f32.
bool is_short(const Graph& graph) {
  for (const Node& node : graph.nodes)
    if (node.op_type == "FusedFunction") return node.int_attribute("short", 0) != 0;
  return false;
}

}  // namespace

TEST_CASE("Functions: GELU and SiLU become one operator each") {
  GraphBuilder b(17);
  const ValueId x = b.input("x", {2, 7, 33});
  const ValueId y = gelu(b, b.node("Neg", {x}));
  const ValueId z = b.node("Mul", {y, b.node("Sigmoid", {y})});
  const Graph source = b.build({z});
  const Graph graph = fused(source);
  CHECK(test::count_nodes(graph, "FusedFunction") == 2);
  CHECK(graph.nodes.size() == 3);
  CHECK(is_short(graph));
  const std::vector<Tensor> inputs = test::random_inputs(source);
  const Tensor expected = test::reference_outputs(source, inputs)[0];
  for (Isa isa : supported_isas())
    for (int threads : {1, 3}) {
      const Tensor actual = Engine(source, {.kernels = &kernels_for(isa), .threads = threads}).run(inputs)[0];
      REQUIRE(actual.shape() == expected.shape());
      for (int64_t i = 0; i < expected.size(); ++i)
        CHECK(actual.data<float>()[i] == Approx(expected.data<float>()[i]).margin(1e-6));
    }
}

TEST_CASE("Functions: with the rounding behind them") {
  GraphBuilder b(17);
  const ValueId x = b.input("x", {3, 50, 31});
  const bool is_signed = GENERATE(false, true);
  const ValueId scale = b.constant("s", Tensor::scalar(0.013f));
  const ValueId zero =
      b.constant("z", is_signed ? Tensor::scalar(int8_t{-100}) : Tensor::scalar(uint8_t{20}));
  const ValueId codes = b.node("QuantizeLinear", {gelu(b, x), scale, zero});
  const Graph source = b.build({b.node("DequantizeLinear", {codes, scale, zero})});
  const Graph graph = fused(source);
  CHECK(test::count_nodes(graph, "FusedFunction") == 1);
  CHECK(test::count_nodes(graph, "QuantizeLinear") == 0);
  CHECK(!is_short(graph));
  const std::vector<Tensor> inputs = test::random_inputs(source);
  const Tensor expected = test::reference_outputs(source, inputs)[0];
  const uint64_t hash = Engine(source, {.kernels = &kernels_for(Isa::kScalar)}).hash(inputs);
  for (Isa isa : supported_isas())
    for (int threads : {1, 3}) {
      Engine engine(source, {.kernels = &kernels_for(isa), .threads = threads});
      CHECK(engine.hash(inputs) == hash);
      const Tensor actual = engine.run(inputs)[0];
      int64_t different = 0;
      for (int64_t i = 0; i < expected.size(); ++i) {
        const float apart = std::abs(actual.data<float>()[i] - expected.data<float>()[i]);
        CHECK(apart < 0.014f);
        different += apart > 0 ? 1 : 0;
      }
      CHECK(different <= 3);
    }
}

TEST_CASE("Functions: reals in a graph with codes elsewhere keep the bytes that they would have as codes") {
  GraphBuilder b(17);
  const ValueId scale = b.constant("s", Tensor::scalar(0.02f)),
                zero = b.constant("z", Tensor::scalar(uint8_t{20}));
  const ValueId codes =
      b.node("QuantizeLinear", {b.node("Neg", {gelu(b, b.input("x", {3, 50}))}), scale, zero});
  const Graph graph = fused(b.build({b.node("DequantizeLinear", {codes, scale, zero})}));
  CHECK(test::count_nodes(graph, "FusedFunction") == 1);
  CHECK(!is_short(graph));
}

TEST_CASE("Functions: what others see, or what changes the shape, stays") {
  GraphBuilder b(17);
  const ValueId x = b.input("x", {2, 7, 33});
  const ValueId erf = b.node("Erf", {x});
  const ValueId silu = b.node("Mul", {x, b.node("Sigmoid", {x})});
  const Graph both = b.build({erf, silu});
  CHECK(test::count_nodes(fused(both), "FusedFunction") == 0);  // x is read by Erf as well

  GraphBuilder wide(17);
  const Graph grown = wide.build({gelu(wide, wide.input("x", {2, 7, 33}), {1, 1, 1, 1})});
  CHECK(test::count_nodes(fused(grown), "FusedFunction") == 0);

  GraphBuilder near(17);  // the identity but for a little, or nearly
  const ValueId moved =
      near.node("Add", {near.input("x", {2, 3}), near.constant("e", Tensor::scalar(1e-5f))});
  const Graph identity =
      near.build({near.node("Mul", {moved, near.constant("f", Tensor::scalar(0.99999f))})});
  CHECK(test::count_nodes(fused(identity), "FusedFunction") == 0);

  GraphBuilder kept(17);
  const ValueId y = kept.node("Sigmoid", {kept.input("x", {4})});
  const Graph seen = kept.build({kept.node("Mul", {kept.graph().inputs[0], y})});
  CHECK(test::count_nodes(fused(seen), "FusedFunction") == 1);
  std::vector<bool> keep(seen.values.size(), false);
  keep[static_cast<size_t>(y)] = true;
  CHECK(test::count_nodes(fused(seen, keep), "Sigmoid") == 1);
}

}  // namespace quantize
