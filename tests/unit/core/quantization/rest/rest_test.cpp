// The rest of a model in 16 bits: which nodes, where casts stand, what is computed.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/engine/engine.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/rest/narrow_rest.h"
#include "core/quantization/rest/plan_rest.h"
#include "tests/support/planned_graph.h"

using namespace quantize;
using test::count_nodes;
using test::GraphBuilder;
using test::plan_of;
using test::Planned;

namespace {

QuantizationScheme scheme_of(const std::string& mode, DataType rest = DataType::kF16) {
  QuantizationScheme scheme;
  scheme.mode = mode;
  scheme.rest = rest;
  return scheme;
}

Graph narrowed(const Planned& planned) {
  Graph graph = narrow_rest(insert_qdq(planned), planned);
  validate(graph);
  return graph;
}

ValueId layer(GraphBuilder& b, ValueId x, const std::string& name, float size = 1) {
  return b.node("Conv", {x, b.random(name, {4, 4, 1, 1}, -size, size)});
}

size_t constants_of(const Graph& graph, DataType dtype) {
  size_t count = 0;
  for (const Node& node : graph.nodes)
    for (const ValueId id : node.inputs)
      count += id != kNoValue && graph.value(id).is_constant() && graph.value(id).dtype == dtype;
  return count;
}

}  // namespace

TEST_CASE("rest: casts stand at the ends of what is computed in 16 bits, inputs and outputs stay f32",
          "[rest]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 4, 4});
  const ValueId y = b.node("Relu", {layer(b, b.node("Relu", {layer(b, x, "v")}), "w")});
  const Planned planned = plan_of(b, {y, b.node("Sigmoid", {y})}, scheme_of("float"));
  const Graph graph = narrowed(planned);
  CHECK(count_nodes(graph, "Cast") == 3);
  CHECK(constants_of(graph, DataType::kF16) == 2);
  CHECK(constants_of(graph, DataType::kF32) == 0);
  for (const ValueId id : {graph.inputs[0], graph.outputs[0], graph.outputs[1]})
    CHECK(graph.value(id).dtype == DataType::kF32);
  CHECK(summarize(planned).narrow == 5);
}

TEST_CASE("rest: the graph that judges rounds as the written one does", "[rest]") {
  const auto [type, least] = GENERATE(table<DataType, double>({{DataType::kF16, 55}, {DataType::kBF16, 38}}));
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 4, 4});
  ValueId y = x;
  for (int i = 0; i < 3; ++i) y = b.node("Relu", {layer(b, y, "w" + std::to_string(i))});
  const Planned planned = plan_of(b, {y}, scheme_of("float", type), {}, find_target("native"));
  const auto inputs = test::random_inputs(planned.graph);
  const Tensor exact = test::run_graph(planned.graph, inputs)[0],
               rounded = test::run_graph(judged_graph(planned), inputs)[0];
  double signal = 0, noise = 0;
  for (int64_t i = 0; i < exact.size(); ++i) {
    const double d = double{exact.data<float>()[i]} - double{rounded.data<float>()[i]};
    signal += double{exact.data<float>()[i]} * double{exact.data<float>()[i]};
    noise += d * d;
  }
  CHECK(10 * std::log10(signal / noise) > least);
  CHECK(noise > 0);
  CHECK(narrowed(planned).opset() == (type == DataType::kBF16 ? 22 : 13));
}

TEST_CASE("rest: operators that need f32 keep it, and those beside them alone do too", "[rest]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 4, 4});
  const ValueId soft = b.node("Softmax", {layer(b, x, "w")}, {{"axis", int64_t{1}}});
  const ValueId y = b.node("Exp", {b.node("Neg", {soft})});
  const Planned planned = plan_of(b, {y}, scheme_of("float"));
  CHECK(planned.node("Conv").narrow);
  CHECK(planned.node("Softmax").wide_reason == "its sums, powers or decisions need f32");
  CHECK(planned.node("Neg").wide_reason == "no node beside it is of 16 bits");
  CHECK(count_nodes(narrowed(planned), "Cast") == 2);
}

TEST_CASE("rest: what was seen beyond f16, or is so in a constant, stays f32", "[rest]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 4, 4});
  const ValueId large = layer(b, x, "large", 40000), huge = layer(b, x, "huge", 1e6f);
  const ValueId tiny = b.node("Add", {layer(b, x, "w"), b.constant("tiny", Tensor::scalar(1e-12f))});
  const std::vector<ValueId> outputs = {large, huge, tiny};
  const Planned planned = plan_of(b, outputs, scheme_of("float"));
  CHECK(planned.node("Conv", 0).wide_reason.find("too near to the largest number") != std::string::npos);
  CHECK(planned.node("Conv", 1).wide_reason.find("'huge'") == 0);
  CHECK(planned.node("Conv", 2).narrow);
  CHECK(planned.node("Add").wide_reason.find("'tiny' is 1e-12") == 0);
  const Planned unseen =
      plan_of(b, outputs, scheme_of("float"), [](RangeTable& ranges) { ranges.values.clear(); });
  CHECK(unseen.node("Conv", 0).narrow);
  CHECK_FALSE(unseen.node("Conv", 1).narrow);
  const Planned brain = plan_of(b, outputs, scheme_of("float", DataType::kBF16), {}, find_target("native"));
  CHECK(brain.node("Conv", 1).narrow);
  CHECK(brain.node("Add").narrow);
}

TEST_CASE("rest: integers, and the clamps inside of them, are no part of it", "[rest]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 4, 4});
  const ValueId y = b.node("Relu", {layer(b, b.node("Relu", {layer(b, x, "v")}), "w")});
  const ValueId up = b.node("ConvTranspose", {y, b.random("u", {4, 4, 1, 1})});
  QuantizationScheme scheme = scheme_of("static");
  scheme.activations.symmetric = true;  // so that the Relu stays in front of its Q
  const Planned planned = plan_of(b, {layer(b, up, "z")}, scheme);
  REQUIRE(planned.placement("Relu") == Placement::kFloat);
  CHECK_FALSE(planned.node("Relu").narrow);
  CHECK(planned.node("ConvTranspose").narrow);
  const Graph graph = narrowed(planned);
  CHECK(count_nodes(graph, "Cast") == 2);
  const GraphIndex index(graph);
  for (const Node& node : graph.nodes) {
    if (node.op_type != "QuantizeLinear") continue;
    CHECK(graph.value(node.inputs[0]).dtype == DataType::kF32);
  }
}

TEST_CASE("rest: the scales of a Resize stay f32", "[rest]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 4, 4});
  const ValueId scales = b.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 2}));
  const ValueId y =
      b.node("Resize", {layer(b, x, "w"), kNoValue, scales}, {{"mode", std::string("nearest")}});
  const Graph graph = narrowed(plan_of(b, {y}, scheme_of("float")));
  CHECK(constants_of(graph, DataType::kF32) == 1);
  CHECK(constants_of(graph, DataType::kF16) == 1);
}

TEST_CASE("rest: a type that the target does not compute is refused", "[rest]") {
  CHECK_THROWS_WITH(check_rest(scheme_of("float", DataType::kBF16), find_target("ort-x86")),
                    "target ort-x86 computes the rest in f32, f16, not in bf16; give another --rest, or "
                    "another target");
  check_rest(scheme_of("float", DataType::kBF16), find_target("native"));
}
